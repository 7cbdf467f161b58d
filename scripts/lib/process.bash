# Background programs of the scripts: started, found again and ended by process id. Sourced, never run.
# The caller sets run_dir: one file NAME.pid and one log NAME.log per program.
: "${run_dir:?}"

# birth PID: the moment the process began (clock ticks since boot); nothing when there is none. Together with
# the id it names a process for good: ids are used again, after a reboot at the latest.
birth() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  # The command's name, in parentheses, may hold anything; the 20th field after it is the start time.
  read -ra stat <<<"${stat##*) }"
  [[ ${stat[0]} == Z ]] || printf '%s\n' "${stat[19]}"
}

# start NAME COMMAND...: in a session of its own, so that Ctrl-C in the terminal does not reach it.
start() {
  local name=$1
  shift
  mkdir -p "$run_dir"
  setsid "$@" >"$run_dir/$name.log" 2>&1 </dev/null &
  local pid=$!
  printf '%s %s\n' "$pid" "$(birth "$pid")" >"$run_dir/$name.pid"
  disown "$pid"
}

# pid_of NAME: its process id while it runs, else nothing.
pid_of() {
  local pid since
  [[ -f $run_dir/$1.pid ]] || return 0
  read -r pid since <"$run_dir/$1.pid" || return 0
  [[ -z $since || $(birth "$pid") != "$since" ]] || printf '%s\n' "$pid"
}

running() { [[ -n $(pid_of "$1") ]]; }

# stop NAME [SECONDS]: asks it to end, and ends it after that time (default 20).
stop() {
  local pid
  pid=$(pid_of "$1")
  if [[ -n $pid ]]; then
    kill "$pid" 2>/dev/null || true
    until_ok "${2:-20}" gone "$1" || kill -9 "$pid" 2>/dev/null || true
    until_ok 5 gone "$1" || true
  fi
  rm -f "$run_dir/$1.pid"
}

gone() { ! running "$1"; }

# until_ok SECONDS COMMAND...: repeats the command until it succeeds; fails when the time is over.
until_ok() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    sleep 0.1
  done
}
