# The programs of the lab's cluster: how each is started, and what is left of them when they end. Sourced by
# tests/lab/kubernetes; needs output.bash, process.bash, engine.bash and certificates.bash. The caller sets
#   cluster_home   keys, kubeconfigs, and what etcd and the kubelet keep
#   programs_dir   where kube-apiserver and its like are
#   port           the API server's, on 127.0.0.1
# All of them live in the engine's network and mount namespaces: the node's address, which may not be a loopback one, is
# that of the engine's docker0, volumes are mounted where the engine sees them, and the machine sees neither. Its own
# 127.0.0.1:PORT leads there by a proxy. The flags are for two cores that a suite shares: what a test waits for is quick,
# what is only done again and again is rare.
: "${home:?}" "${run_dir:?}" "${engine_sock:?}" "${cluster_home:?}" "${programs_dir:?}" "${port:?}" "${server:?}"

cluster_programs=(etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kubernetes-proxy)
service_range=10.96.0.0/16
pause=lab/pause:1

cluster_runs() {
  local name
  for name in "${cluster_programs[@]}"; do running "$name" || return 1; done
}

inside() { nsenter --target "$(pid_of dockerd)" --net --mount -- "$@"; }

# start_inside NAME COMMAND...: nsenter becomes the command, so that the process id is the command's.
start_inside() {
  local name=$1
  shift
  start "$name" nsenter --target "$(pid_of dockerd)" --net --mount -- "$@"
}

# wait_until SECONDS NAME COMMAND...: until the command succeeds; a failure shows what the program NAME said.
wait_until() {
  local name=$2
  until_ok "$1" "${@:3}" || {
    tail -n 20 "$run_dir/$name.log" >&2
    die "$name did not start"
  }
}

node_address() { inside ip -4 -o address show docker0 | awk '{sub("/.*", "", $4); print $4}'; }

# New ones with each cluster. The API server and the kubelet are who they say; everybody else is the administrator.
make_cluster_secrets() (
  umask 077
  rm -rf "$cluster_home"
  mkdir -p "$cluster_home/pki"
  cd "$cluster_home/pki" || exit
  local curve=(ec ec_paramgen_curve:P-256)
  make_ca 'Tidewaiter lab cluster'
  certificate api /CN=kube-apiserver "${curve[@]}" 'subjectAltName = IP:127.0.0.1, DNS:localhost'
  certificate kubelet /CN=kubelet "${curve[@]}" "subjectAltName = IP:$(node_address)"
  certificate admin /O=system:masters/CN=admin "${curve[@]}"
  openssl ecparam -name prime256v1 -genkey -noout -out accounts.key
)

# The container that holds a pod's namespaces: nothing but a process that waits. tini, since a first process that does not
# handle SIGTERM would be killed after ten seconds, and its pod only removed by the kubelet's next collection, a minute
# later.
import_pause() {
  local root=$cluster_home/pause
  mkdir -p "$root/bin"
  cp /bin/busybox "$root/bin/sleep"
  cp /usr/bin/tini-static "$root/bin/tini"
  tar -C "$root" --numeric-owner --owner 0 --group 0 -c . |
    engine POST "/images/create?fromSrc=-&repo=${pause%:*}&tag=${pause#*:}$(
      )&changes=USER%2065534:65534&changes=ENTRYPOINT%20%5B%22/bin/tini%22,%22/bin/sleep%22,%222147483647%22%5D" \
      -H 'Content-Type: application/x-tar' -T - | answer >/dev/null
  rm -r "$root"
}

# The kubelet sets the machine's kernel to what it wants where it finds something else, and it writes to fixed places:
# both are hidden from it.
kernel_settings=(vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000)

hide_machine() {
  local setting file
  for setting in "${kernel_settings[@]}"; do
    file=$cluster_home/proc/${setting%=*}
    mkdir -p "${file%/*}"
    printf '%s\n' "${setting#*=}" >"$file"
    inside mount --bind "$file" "/proc/sys/${setting%=*}"
  done
  mkdir -p "$cluster_home/log" "$cluster_home/etcd"
  inside mount --bind "$cluster_home/log" /var/log
  # A cluster is never taken up again: nothing of it has to reach a disk.
  inside mount -t tmpfs -o size=1g,mode=0700 etcd "$cluster_home/etcd"
}

show_machine() {
  local setting point
  for setting in "${kernel_settings[@]}"; do inside umount "/proc/sys/${setting%=*}" 2>/dev/null || true; done
  inside umount /var/log 2>/dev/null || true
  # Deepest first: the pods' volumes, which a kubelet leaves behind.
  awk -v under="$cluster_home/" 'index($5, under) == 1 {print $5}' "/proc/$(pid_of dockerd)/mountinfo" | sort -r |
    while read -r point; do inside umount --lazy "$point" || true; done
}

start_etcd() {
  start_inside etcd etcd --data-dir "$cluster_home/etcd/data" --logger zap --log-level warn \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster default=http://127.0.0.1:2380 --heartbeat-interval 250 --election-timeout 1250
}

# OwnerReferencesPermissionEnforcement is off by default; here it shows whether deploy/kubernetes/role.yaml does for
# clusters that have it on.
start_api_server() {
  local pki=$cluster_home/pki
  start_inside kube-apiserver "$programs_dir/kube-apiserver" --etcd-servers http://127.0.0.1:2379 \
    --bind-address 127.0.0.1 --secure-port "$port" --insecure-port 0 --advertise-address "$(node_address)" \
    --tls-cert-file "$pki/api.pem" --tls-private-key-file "$pki/api.key" --client-ca-file "$pki/ca.pem" \
    --authorization-mode Node,RBAC --enable-admission-plugins OwnerReferencesPermissionEnforcement \
    --service-cluster-ip-range "$service_range" --endpoint-reconciler-type none \
    --service-account-issuer https://kubernetes.default.svc --service-account-key-file "$pki/accounts.key" \
    --service-account-signing-key-file "$pki/accounts.key" --kubelet-preferred-address-types InternalIP \
    --kubelet-client-certificate "$pki/admin.pem" --kubelet-client-key "$pki/admin.key" \
    --kubelet-certificate-authority "$pki/ca.pem" \
    --feature-gates TTLAfterFinished=true --enable-priority-and-fairness=false --profiling=false
}

# Of the controllers those that runs and their namespace need: Jobs, owners and what they own, accounts, quotas, and
# nodelifecycle, which takes from a new node the taint that keeps pods off it.
start_controllers() {
  local controllers=(namespace serviceaccount serviceaccount-token root-ca-cert-publisher resourcequota
    garbagecollector job ttl-after-finished podgc nodelifecycle)
  start_inside kube-controller-manager "$programs_dir/kube-controller-manager" \
    --kubeconfig "$cluster_home/admin.kubeconfig" --leader-elect=false --port 0 --bind-address 127.0.0.1 \
    --service-account-private-key-file "$cluster_home/pki/accounts.key" --root-ca-file "$cluster_home/pki/ca.pem" \
    --controllers "$(IFS=,; printf '%s' "${controllers[*]}")" --feature-gates TTLAfterFinished=true \
    --kube-api-qps 200 --kube-api-burst 400 --node-monitor-period 30s --node-monitor-grace-period 10m --profiling=false
}

start_scheduler() {
  start_inside kube-scheduler "$programs_dir/kube-scheduler" --kubeconfig "$cluster_home/admin.kubeconfig" \
    --leader-elect=false --port 0 --bind-address 127.0.0.1
}

# Nothing is reserved or evicted for the node's sake, and no image collected: they are the suite's. A pod beyond its own
# limit of ephemeral storage is evicted all the same. No cgroup above the containers': not every machine has all that
# the kubelet asks of one. Its answers to the API server come from the node's address, which only the engine's
# containers reach.
write_kubelet_config() {
  local address=$1 pki=$cluster_home/pki
  cat >"$cluster_home/kubelet.yaml" <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $address
port: 10250
healthzPort: 0
readOnlyPort: 0
tlsCertFile: $pki/kubelet.pem
tlsPrivateKeyFile: $pki/kubelet.key
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $pki/ca.pem}}
authorization: {mode: Webhook}
clusterDNS: [$address]
cgroupDriver: $(engine GET /info | jq -r .CgroupDriver)
cgroupsPerQOS: false
enforceNodeAllocatable: []
failSwapOn: false
makeIPTablesUtilChains: false
oomScoreAdj: 0
maxPods: 250
evictionHard: {memory.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%"}
imageGCHighThresholdPercent: 100
serializeImagePulls: false
registryPullQPS: 0
eventRecordQPS: 0
kubeAPIQPS: 100
kubeAPIBurst: 200
# A new node says with its second report at the earliest that it is ready.
nodeStatusUpdateFrequency: 3s
nodeStatusReportFrequency: 5m
nodeLeaseDurationSeconds: 240
volumeStatsAggPeriod: 30s
featureGates: {CPUManager: false, DevicePlugins: false, TopologyManager: false}
Y
}

start_kubelet() {
  local address
  address=$(node_address)
  write_kubelet_config "$address"
  start_inside kubelet "$programs_dir/kubelet" --config "$cluster_home/kubelet.yaml" \
    --kubeconfig "$cluster_home/admin.kubeconfig" --root-dir "$cluster_home/kubelet" \
    --container-runtime docker --docker-endpoint "unix://$engine_sock" --docker "unix://$engine_sock" \
    --container-runtime-endpoint "unix://$cluster_home/dockershim.sock" \
    --experimental-dockershim-root-directory "$cluster_home/dockershim" \
    --volume-plugin-dir "$cluster_home/volume-plugins" --network-plugin '' --cni-conf-dir "$cluster_home/no-cni" \
    --pod-infra-container-image "$pause" --hostname-override lab-node --node-ip "$address" --housekeeping-interval 30s
}

# The machine's 127.0.0.1:PORT: the socket is opened here, and whoever serves it connects inside.
start_proxy() {
  start kubernetes-proxy systemd-socket-activate --listen "127.0.0.1:$port" \
    nsenter --target "$(pid_of dockerd)" --net -- \
    /lib/systemd/systemd-socket-proxyd --connections-max 4096 "127.0.0.1:$port"
}

# api PATH: what the administrator gets there; kubectl takes half a second of processor to ask.
api() {
  local pki=$cluster_home/pki
  curl -fsS --max-time 10 --cacert "$pki/ca.pem" --cert "$pki/admin.pem" --key "$pki/admin.key" "$server$1"
}

# Ready, and no longer tainted as a new node is.
node_is_ready() {
  api /api/v1/nodes/lab-node |
    jq -e '(.spec.taints | not) and any(.status.conditions[]; .type == "Ready" and .status == "True")'
}

start_cluster() {
  hide_machine
  start_etcd
  wait_until 30 etcd inside curl -fs http://127.0.0.1:2379/health
  start_api_server
  start_proxy
  wait_until 60 kube-apiserver api /readyz
  start_controllers
  start_scheduler
  start_kubelet
  wait_until 90 kubelet node_is_ready
  cluster_runs || die "a program of the cluster ended; see $run_dir"
}

# The API server's last, so that the others end without waiting for it.
stop_cluster() {
  local name id
  for name in kubelet kube-scheduler kube-controller-manager kubernetes-proxy kube-apiserver etcd; do stop "$name"; done
  running dockerd || return 0
  # A kubelet leaves its pods running.
  for id in $(engine GET '/containers/json?all=true' |
    jq -r '.[] | select(.Labels // {} | has("io.kubernetes.pod.name")) | .Id'); do
    engine DELETE "/containers/$id?force=true&v=true" || true
  done
  engine DELETE "/images/$pause" >/dev/null 2>&1 || true
  show_machine
}
