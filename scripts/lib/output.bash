# What the scripts say, on stderr: colours only on a terminal and never under NO_COLOR (https://no-color.org).
# Sourced, never run.

if [[ -t 2 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
  bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' reset=$'\e[0m'
else
  bold='' dim='' green='' red='' reset=''
fi

# heading TEXT: a step begins.
heading() { printf '\n%s==> %s%s\n' "$bold" "$*" "$reset" >&2; }

# say TEXT: what happens inside a step.
say() { printf '%s    %s%s\n' "$dim" "$*" "$reset" >&2; }

# good TEXT: something that was checked and holds.
good() { printf '%s    ok: %s%s\n' "$green" "$*" "$reset" >&2; }

# die TEXT: the script cannot go on.
die() { printf '%s%s: %s%s\n' "$red" "${0##*/}" "$*" "$reset" >&2; exit 1; }

# as_root ARGUMENT...: starts the calling script again with sudo unless it already is root.
as_root() {
  ((EUID)) || return 0
  command -v sudo >/dev/null || die 'run this as root'
  local name passed=()
  for name in $(compgen -e); do
    [[ $name == TIDEWAITER_* || $name == NO_COLOR || $name == DOCKER_HOST ]] && passed+=("$name=${!name}")
  done
  exec sudo -- env "${passed[@]}" "$0" "$@"
}
