# `cmake --install build/release`: the programs, the units and an example configuration. Units and the files of
# sysusers.d and tmpfiles.d go where systemd looks under the prefix; the unit names the installed program.
include(GNUInstallDirs)

foreach(program IN ITEMS tidewaiterd tidewaiter tidewaiter-extract tidewaiter-carrier)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()

file(READ ${PROJECT_SOURCE_DIR}/systemd/tidewaiterd.service unit)
string(REPLACE "/usr/bin/tidewaiterd" "${CMAKE_INSTALL_FULL_BINDIR}/tidewaiterd" unit "${unit}")
string(REPLACE "/usr/share/doc/tidewaiter" "${CMAKE_INSTALL_FULL_DOCDIR}" unit "${unit}")
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/systemd/tidewaiterd.service CONTENT "${unit}" @ONLY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/systemd/tidewaiterd.service)

install(FILES ${PROJECT_BINARY_DIR}/systemd/tidewaiterd.service ${PROJECT_SOURCE_DIR}/systemd/tidewaiterd.socket
  DESTINATION lib/systemd/system)
install(FILES systemd/sysusers.d/tidewaiter.conf DESTINATION lib/sysusers.d)
install(FILES systemd/tmpfiles.d/tidewaiter.conf DESTINATION lib/tmpfiles.d)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
# Never to /etc itself: an installation must not replace the operator's policy.
install(FILES systemd/example/tidewaiter.toml systemd/example/policy.toml
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/example)
