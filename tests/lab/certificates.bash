# Certificates for the lab's servers, in the folder that the caller is in. Sourced, never run.

# make_ca NAME: ca.key and ca.pem.
make_ca() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem \
    -days 30 -subj "/CN=$1" -addext 'keyUsage = critical, keyCertSign' 2>/dev/null
}

# certificate NAME SUBJECT KEY_TYPE KEY_OPTION [EXTENSION]: NAME.key and NAME.pem, signed by the CA.
certificate() {
  openssl req -new -newkey "$3" -pkeyopt "$4" -nodes -keyout "$1.key" -subj "$2" 2>/dev/null |
    openssl x509 -req -CA ca.pem -CAkey ca.key -days 30 -out "$1.pem" 2>/dev/null \
      -extfile <(printf '%s\n' "${5:-basicConstraints = CA:FALSE}")
}
