# Runs a server so that it cannot outlive the program that wants it.
#
#   sh -c GUARD guard RUN_DIR PROGRAM [ARGUMENT...]
#
# Standard input is the reading end of a pipe that only that program can write to and never does. The kernel closes the
# other end when the program ends, in whatever way; then the server's whole session is killed, with every process that left it
# and still carries the run's mark, and the run's directory is removed.
# TERM is passed on to the session; USR1 kills it and leaves the directory (a crash, as a test wants it).
dir=$1
shift

server=
# Before setsid has made the session there is no such group yet: then the process itself is meant. Before there is even a
# process ($! is set as soon as it is forked), the signal is for us.
signal() {
    target=${server:-${!:-}}
    [ -n "$target" ] || exit 143
    kill -s "$1" -- "-$target" 2>/dev/null || kill -s "$1" "$target" 2>/dev/null
}
trap 'signal TERM' TERM
trap 'signal KILL' USR1
trap '' INT HUP

# Whether any of the server's group still runs. One that has ended can be signalled until somebody has waited for it, and those
# whose parent was killed with them are left to the machine's first process, which may take seconds: they hold nothing any more.
# It is not over while other threads than the first go on. Fields of /proc/PID/stat: state, parent, group, …, threads.
living() {
    kill -s 0 -- "-$server" 2>/dev/null || return 1
    for stat in /proc/[0-9]*/stat; do
        read -r stat <"$stat" || continue
        set -- ${stat##*) }
        [ "$3" = "$server" ] || continue
        [ "$1" = Z ] && [ "${18}" -le 1 ] || return 0
    done 2>/dev/null
    return 1
}

exec 3<&0 </dev/null
setsid "$@" 3<&- &
server=$!

(
    trap - TERM
    read -r _ <&3
    trap '' TERM
    signal KILL
    while living; do sleep 0.02; done
    read -r self _ </proc/self/stat
    for environment in /proc/[0-9]*/environ; do
        grep -qszxF "ISTHMUS_RUN_DIR=$dir" "$environment" || continue
        pid=${environment#/proc/}
        pid=${pid%/environ}
        [ "$pid" = "$self" ] || [ "$pid" = "$$" ] || kill -s KILL "$pid"
    done
    rm -rf -- "$dir"
) >/dev/null 2>&1 &
watch=$!
exec 3<&-

# A trapped signal interrupts `wait`; the server is gone only when it can no longer be signalled.
while :; do
    wait "$server"
    status=$?
    kill -s 0 "$server" 2>/dev/null || break
done
# A wait that a signal interrupted tells of the signal, even if the server ended at that moment; its own word is then still to
# be had. It is not when it was told already: 127.
if wait "$server"; then status=0; else told=$?; [ "$told" -eq 127 ] || status=$told; fi
signal KILL # what the server started and left behind
while living; do sleep 0.02; done
kill -s TERM "$watch" 2>/dev/null
wait "$watch" 2>/dev/null # its end is not the server's word
exit "$status"
