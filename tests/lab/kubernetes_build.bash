# Kubernetes' programs from Debian's source package: Debian 12 has binary packages of none but the client, and that
# one crashes. Sourced by tests/lab/kubernetes; needs output.bash and dependencies. The caller sets
#   programs_dir   where the programs are kept; outlives the lab
: "${programs_dir:?}"

cluster_release=1.20.2
built_programs=(kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl)

is_built() {
  local program
  for program in "${built_programs[@]}"; do [[ -x $programs_dir/$program ]] || return 1; done
}

# fetch_source: the source package's archive into the folder that the caller is in. apt gets lists of its own there,
# with the source half of the archive whose binary half the machine has; nothing under /etc/apt or /var/lib/apt changes.
fetch_source() {
  local archive
  # shellcheck disable=SC2016 # apt's own variables
  archive=$(apt-get indextargets --format '$(LABEL) $(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "Debian" && $2 == "bookworm" && $3 == "main" {print $4; exit}')
  [[ -n $archive ]] || die "apt knows no archive of Debian 12 (bookworm)"
  printf 'deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s bookworm main\n' "$archive" >sources.list
  mkdir -p lists/partial
  local options=(-qq -o "Dir::Etc::SourceList=$PWD/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$PWD/lists"
    -o Dir::Cache::srcpkgcache= -o Dir::Cache::pkgcache= -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update
  apt-get "${options[@]}" source --download-only kubernetes
}

# build_programs: from that archive, in the folder that the caller is in.
build_programs() {
  local tree=$PWD/kubernetes-$cluster_release program
  tar -xzf kubernetes_*.orig.tar.gz
  # The tree's own reflect2, 1.0.1, reads map iterators as Go had them before 1.18: the API server, and Debian's kubectl,
  # crash on their first map. Debian's package of it, 1.0.2, knows both.
  rm -r "$tree/vendor/github.com/modern-go/reflect2"
  cp -rL /usr/share/gocode/src/github.com/modern-go/reflect2 "$tree/vendor/github.com/modern-go/reflect2"
  # Go 1.19 takes the go.mod of 2021 for inconsistent with vendor/; GOPATH mode does not look at it, which is how
  # Debian's own rules build. And by make, not by go alone: it generates the API server's OpenAPI code first.
  mkdir -p go/src/k8s.io
  ln -s "$tree" go/src/k8s.io/kubernetes
  PATH=/usr/lib/go-1.19/bin:$PATH GOPATH=$PWD/go GOCACHE=$PWD/gocache GO111MODULE=off GOFLAGS='' CGO_ENABLED=0 \
    make -C go/src/k8s.io/kubernetes WHAT="${built_programs[*]/#/cmd/}" >build.log 2>&1 ||
    { tail -n 20 build.log >&2; die 'Kubernetes was not built'; }
  # A program that is in the folder is whole.
  for program in "${built_programs[@]}"; do
    cp "$tree"/_output/local/bin/linux/*/"$program" "$programs_dir/.new"
    mv "$programs_dir/.new" "$programs_dir/$program"
  done
}

# Builds what the cache does not have. A second caller waits for the first.
build() (
  mkdir -p "$programs_dir"
  cd "$programs_dir" || exit
  exec {lock}>.lock
  flock "$lock"
  ! is_built || exit 0
  install_packages kubernetes-build
  say "building Kubernetes $cluster_release, once per machine (5 to 8 minutes on 2 cores, 3 GB while it lasts)"
  rm -rf .work
  mkdir .work
  trap 'rm -rf "$programs_dir/.work"' EXIT
  cd .work || exit
  fetch_source
  build_programs
)
