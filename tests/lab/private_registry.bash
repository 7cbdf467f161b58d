# The lab's private registry: Debian's docker-registry with TLS by a CA of the lab's own and token authentication.
# Sourced by tests/lab/engine; needs output.bash, process.bash, engine.bash and certificates.bash. The caller sets
#   private        127.0.0.1:PORT of the registry
#   private_token  127.0.0.1:PORT of its token service
#   private_home   keys, certificates, credentials and images
# As with the plain registry, a second pair of processes serves the same folder beside the engine.
: "${home:?}" "${run_dir:?}" "${private:?}" "${private_token:?}" "${private_home:?}"

private_programs=(private-token private-registry private-token-inside private-registry-inside)

# New ones whenever the registry is started: nothing that leaks from a lab is worth anything after it.
make_private_secrets() (
  umask 077
  rm -rf "$private_home/keys"
  mkdir -p "$private_home/keys"
  cd "$private_home/keys" || exit
  make_ca 'Tidewaiter lab CA'
  # The folder can stand for the system's /etc/ssl/certs, where OpenSSL looks for a CA by its name's hash.
  ln -s ca.pem "$(openssl x509 -in ca.pem -noout -hash).0"
  certificate server /CN=localhost ec ec_paramgen_curve:P-256 'subjectAltName = IP:127.0.0.1, DNS:localhost'
  certificate token '/CN=Tidewaiter lab tokens' rsa rsa_keygen_bits:2048
  jq -n --arg registry "$private" --arg auth "$(printf 'tester:%s' "$(openssl rand -hex 16)" | base64 -w 0)" \
    '{auths: {($registry): {auth: $auth}}}' >auth.json
  jq -n --arg registry "$private" --arg token "$(openssl rand -hex 16)" \
    '{auths: {($registry): {identitytoken: $token}}}' >identity.json
)

private_curl=(curl -s --max-time 5 --cacert "$private_home/keys/ca.pem")

# private_answers [PREFIX...]: whether both are there, which is to say that both ask who we are.
private_answers() {
  local url
  for url in "https://$private/v2/" "https://$private_token/token"; do
    [[ $("$@" "${private_curl[@]}" -o /dev/null -w '%{http_code}' "$url") == 401 ]] || return 1
  done
}

private_running() {
  local name inside
  inside=$(pid_of dockerd)
  for name in "${private_programs[@]}"; do
    [[ $name == *-inside && -z $inside ]] || running "$name" || return 1
  done
}

# start_private_pair SUFFIX [PREFIX...]: the registry and its token service, each started by the prefix.
start_private_pair() {
  local suffix=$1
  shift
  start "private-token$suffix" "$@" "$(dirname "${BASH_SOURCE[0]}")/token_service" \
    "$private_token" "$private" tidewaiter-lab "$private_home/keys"
  start "private-registry$suffix" "$@" docker-registry serve "$private_home/registry.yml"
  until_ok 15 private_answers "$@" || {
    tail -n 20 "$run_dir"/private-{token,registry}"$suffix.log" >&2
    die "the private registry $private did not start"
  }
}

start_private_registry() {
  private_running && return
  local inside
  stop_private_registry
  make_private_secrets
  cat >"$private_home/registry.yml" <<Y
version: 0.1
storage: {filesystem: {rootdirectory: $private_home/images}, delete: {enabled: true}}
http:
  addr: "$private"
  tls: {certificate: $private_home/keys/server.pem, key: $private_home/keys/server.key}
auth:
  token:
    realm: https://$private_token/token
    service: "$private"
    issuer: tidewaiter-lab
    rootcertbundle: $private_home/keys/ca.pem
log: {level: warn}
Y
  start_private_pair ''
  inside=$(pid_of dockerd)
  [[ -z $inside ]] || start_private_pair -inside nsenter --target "$inside" --net
}

stop_private_registry() {
  local name
  for name in "${private_programs[@]}"; do stop "$name"; done
}

# put_index TAG DIGEST: an index whose one entry, for this machine's architecture, is that manifest; prints its digest.
put_index() {
  local token manifest=$private_home/manifest index=$private_home/index
  token=$("${private_curl[@]}" -f -H "Authorization: Basic $(jq -r '.auths[].auth' "$private_home/keys/auth.json")" \
    "https://$private_token/token?service=$private&scope=repository:lab/private:pull,push" | jq -r .token)
  local with_token=(-f -H "Authorization: Bearer $token")
  local type=application/vnd.docker.distribution.manifest.v2+json
  "${private_curl[@]}" "${with_token[@]}" -H "Accept: $type" -o "$manifest" "https://$private/v2/lab/private/manifests/$2"
  jq -nj --arg type "$type" --arg digest "$2" --argjson size "$(wc -c <"$manifest")" \
    --arg architecture "$(dpkg --print-architecture)" '{
      schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [{mediaType: $type, digest: $digest, size: $size, platform: {os: "linux", architecture: $architecture}}]
    }' >"$index"
  "${private_curl[@]}" "${with_token[@]}" -X PUT -H 'Content-Type: application/vnd.oci.image.index.v1+json' \
    --data-binary "@$index" "https://$private/v2/lab/private/manifests/$1"
  printf 'sha256:%s\n' "$(sha256sum "$index" | cut -d ' ' -f 1)"
}

# Publishes lab/private:1.0.0, an image, and 2.0.0, an index of it, and prints the environment that tells of them.
# The engine is left without the image: whoever runs it must pull it.
fill_private() {
  local digest index_digest
  # shellcheck disable=SC2034 # engine.bash reads both
  local registry=$private registry_auth
  # shellcheck disable=SC2034
  registry_auth=$(jq -r '.auths[].auth' "$private_home/keys/auth.json" | base64 -d |
    jq -Rjc 'capture("(?<username>[^:]*):(?<password>.*)")' | basenc --base64url -w 0)
  import_toolbox lab/private 1.0.0
  digest=$(push lab/private 1.0.0)
  forget lab/private:1.0.0
  index_digest=$(put_index 2.0.0 "$digest")
  cat <<R
export TIDEWAITER_LAB_PRIVATE_REGISTRY=$private
export TIDEWAITER_LAB_PRIVATE_DIGEST=$digest
export TIDEWAITER_LAB_PRIVATE_IMAGE=$private/lab/private:1.0.0@$digest
export TIDEWAITER_LAB_PRIVATE_INDEX_DIGEST=$index_digest
export TIDEWAITER_LAB_PRIVATE_AUTH_FILE=$private_home/keys/auth.json
export TIDEWAITER_LAB_PRIVATE_IDENTITY_FILE=$private_home/keys/identity.json
export TIDEWAITER_LAB_PRIVATE_CA=$private_home/keys/ca.pem
R
}

private_published() {
  [[ -f $private_home/images/docker/registry/v2/repositories/lab/private/_manifests/tags/2.0.0/current/link ]] &&
    grep -q '^export TIDEWAITER_LAB_PRIVATE_CA=' "$home/engine.env"
}
