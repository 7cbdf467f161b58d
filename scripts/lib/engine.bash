# A Docker Engine and an image registry from Debian's packages, beside whatever the machine already runs.
# Sourced, never run; needs output.bash and process.bash. The caller sets
#   run_dir      process ids and logs
#   engine_home  everything the engine and the registry keep
#   engine_sock  the engine's socket; may be that of an engine that is already there
#   registry     127.0.0.1:PORT (an engine accepts plain HTTP from 127.0.0.0/8 only)
# The private engine lives in a network and a mount namespace of its own: its docker0, its iptables rules and
# its ip_forward are not the machine's, and no mount outlives it. Its loopback is therefore another one too,
# which is why a second registry process serves the same folder there.
: "${run_dir:?}" "${engine_home:?}" "${engine_sock:?}" "${registry:?}"

# engine METHOD PATH [CURL_ARGUMENT...]: one call of the engine's API (1.41: Debian 12's); fails on an error status.
engine() {
  local method=$1 path=$2
  shift 2
  curl -fsS --max-time 120 --unix-socket "$engine_sock" -X "$method" "$@" "http://engine/v1.41$path"
}

engine_answers() { curl -fs --max-time 5 --unix-socket "$engine_sock" http://engine/_ping >/dev/null 2>&1; }

# runc asks for a negative oom_score_adj for its own child; without CAP_SYS_RESOURCE (bit 24) the kernel
# refuses ("can't get final child's PID from pipe: EOF"). This runtime takes the wish out of the bundle.
lacks_sys_resource() {
  local set
  set=$(awk '/^CapEff/ {print $2}' /proc/self/status)
  ((!(16#$set >> 24 & 1)))
}

write_lowcap_runtime() {
  cat >"$engine_home/runc-lowcap" <<'R'
#!/bin/sh
previous=
for argument in "$@"; do
  case $previous in
    --bundle | -b)
      # An escaped quote in a value cannot match: its second quote follows a backslash.
      [ -f "$argument/config.json" ] && sed -i 's/"oomScoreAdj":-[0-9]*/"oomScoreAdj":0/' "$argument/config.json"
      ;;
  esac
  previous=$argument
done
exec runc "$@"
R
  chmod 0755 "$engine_home/runc-lowcap"
}

start_engine() {
  mkdir -p "$engine_home"
  local runtime=()
  if lacks_sys_resource; then
    write_lowcap_runtime
    runtime=(--add-runtime "lowcap=$engine_home/runc-lowcap" --default-runtime lowcap)
  fi
  running dockerd || start dockerd unshare --net --mount --propagation slave sh -c 'ip link set lo up && exec "$@"' sh \
    dockerd --data-root "$engine_home/data" --exec-root "$engine_home/exec" \
    --pidfile "$engine_home/dockerd.pid" -H "unix://$engine_sock" --shutdown-timeout 5 "${runtime[@]}"
  until_ok 60 engine_answers || { tail -n 20 "$run_dir/dockerd.log" >&2; die 'the engine did not start'; }
}

registry_answers() { curl -fs --max-time 5 "http://$registry/v2/" >/dev/null 2>&1; }

start_registry() {
  mkdir -p "$engine_home"
  cat >"$engine_home/registry.yml" <<R
version: 0.1
storage: {filesystem: {rootdirectory: $engine_home/registry}, delete: {enabled: true}}
http: {addr: "$registry"}
log: {level: warn}
R
  if ! running registry; then
    registry_answers && die "$registry is already in use"
    start registry docker-registry serve "$engine_home/registry.yml"
  fi
  until_ok 30 registry_answers || { tail -n 20 "$run_dir/registry.log" >&2; die 'the registry did not start'; }
  local inside
  inside=$(pid_of dockerd)
  if [[ -n $inside ]] && ! running registry-inside; then
    start registry-inside nsenter --target "$inside" --net docker-registry serve "$engine_home/registry.yml"
    until_ok 30 nsenter --target "$inside" --net curl -fs --max-time 5 "http://$registry/v2/" ||
      { tail -n 20 "$run_dir/registry-inside.log" >&2; die 'the registry did not start beside the engine'; }
  fi
}

# toolbox_tar: the file system of a small image on stdout: Debian's static busybox under all its names.
# /tmp and /out are anybody's, /work is 65534's.
toolbox_tar() {
  local root=$engine_home/toolbox applet
  rm -rf "$root"
  mkdir -p "$root"/{bin,etc,tmp,work,data,out}
  cp /bin/busybox "$root/bin/busybox"
  while read -r applet; do
    [[ $applet == busybox ]] || ln -s busybox "$root/bin/$applet"
  done < <(/bin/busybox --list)
  printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
  chown -R 0:0 "$root"
  chmod 1777 "$root/tmp" "$root/out"
  chown 65534:65534 "$root/work"
  tar -C "$root" --numeric-owner -c .
  rm -rf "$root"
}

# answer: reads the engine's stream of JSON messages; an error can come after the status 200.
answer() {
  local messages error
  messages=$(cat)
  error=$(jq -r 'select(.error).error' <<<"$messages")
  [[ -z $error ]] || die "the engine says: $error"
  printf '%s\n' "$messages"
}

# import_toolbox REPOSITORY TAG: makes the image on the engine; USER is 65534, CMD is sh.
import_toolbox() {
  toolbox_tar | engine POST "/images/create?fromSrc=-&repo=$registry/$1&tag=$2$(
    )&changes=USER%2065534:65534&changes=CMD%20%5B%22sh%22%5D" \
    -H 'Content-Type: application/x-tar' -T - | answer >/dev/null
}

# import_program REPOSITORY TAG PROGRAM: makes an image that is this one program, at its root.
import_program() {
  tar --numeric-owner --owner 0 --group 0 --mtime @0 -C "$(dirname "$3")" -c "$(basename "$3")" |
    engine POST "/images/create?fromSrc=-&repo=$registry/$1&tag=$2" \
      -H 'Content-Type: application/x-tar' -T - | answer >/dev/null
}

# push REPOSITORY TAG: prints the digest that the registry gave. registry_auth may hold credentials, as the engine's
# API wants them; "e30=" is none.
push() {
  engine POST "/images/$registry/$1/push?tag=$2" -H "X-Registry-Auth: ${registry_auth:-e30=}" | answer |
    jq -r 'select(.aux.Digest).aux.Digest'
}

# retag REPOSITORY TAG REPOSITORY TAG: another name for an image that the engine has.
retag() { engine POST "/images/$registry/$1:$2/tag?repo=$registry/$3&tag=$4" >/dev/null; }

# forget REPOSITORY:TAG|REPOSITORY@DIGEST: removes the name, and the image when it was its last.
forget() { engine DELETE "/images/$registry/$1" >/dev/null; }

# labelled containers|networks|volumes: the ids of what any broker made and has not removed. Not a kubelet's containers:
# that of a pod's namespaces carries the pod's labels, and stays for a minute after the pod.
labelled() {
  local path=/$1 filter='.[]'
  case $1 in
    containers) path='/containers/json?all=true' ;;
    volumes) filter='.Volumes // [] | .[]' ;;
  esac
  engine GET "$path" | jq -r "$filter"' | select(.Labels // {} | keys | any(startswith("io.tidewaiter."))) |
    select(.Labels | has("io.kubernetes.pod.name") | not) | .Id // .Name'
}

# stop_engine: ends the registry and the private engine with everything it runs, and deletes what they kept.
stop_engine() {
  local containerd
  stop registry-inside
  stop registry
  if running dockerd; then
    remove_containers || true
    stop dockerd 30
  fi
  # A killed engine leaves its containerd behind.
  containerd=$(cat "$engine_home/exec/containerd/containerd.pid" 2>/dev/null) || true
  if [[ -n $containerd ]] && tr '\0' ' ' 2>/dev/null <"/proc/$containerd/cmdline" | grep -qF " $engine_home/"; then
    kill "$containerd" 2>/dev/null || true
  fi
  rm -rf "$engine_home"
}

remove_containers() {
  local id
  for id in $(engine GET '/containers/json?all=true' | jq -r '.[].Id'); do
    engine DELETE "/containers/$id?force=true" || true
  done
}

# remove_labelled: removes what a broker left that was killed and not started again.
remove_labelled() {
  local kind id
  for kind in containers networks volumes; do
    for id in $(labelled "$kind"); do engine DELETE "/$kind/$id?force=true"; done
  done
}
