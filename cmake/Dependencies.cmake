# Everything comes from Debian 12 packages; scripts/dependencies lists them, docs/adr/0005 says why each.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(LibArchive REQUIRED)
find_package(ZLIB REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(Protobuf REQUIRED)
if(NOT TIDEWAITER_CORE_ONLY)
  find_package(gRPC CONFIG REQUIRED)
endif()

# Headers of other projects are not held to our warnings.
set(CMAKE_NO_SYSTEM_FROM_IMPORTED FALSE)
