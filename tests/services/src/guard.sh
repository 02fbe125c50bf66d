# Keeps a server alive no longer than the process that asked for it.
#
# Arguments: the file for the server's output; a directory to remove in the end; the signal
# that ends the server; its command.
# Input: each line `start` starts the command, once the one before has ended, and is answered
# with its process id. When the input ends, also because the asking process was killed, the
# server is ended and the directory removed. Until a process is waited for here its id is not
# given to another, so whoever asked may send it signals.
log=$1 directory=$2 ending=$3
shift 3
server=

# A signal ends the reading below and so leads to the same orderly end.
trap : HUP INT TERM

while read -r word; do
    [ -z "$server" ] || wait "$server"
    "$@" </dev/null >>"$log" 2>&1 &
    server=$!
    echo "$server"
done

if [ -n "$server" ]; then
    children=$(cat "/proc/$server/task/$server/children" 2>/dev/null)
    kill -s "$ending" "$server" 2>/dev/null
    # Whoever is stopped ends nothing.
    kill -s CONT "$server" $children 2>/dev/null
    (sleep 10; kill -s KILL "$server" $children) >/dev/null 2>&1 &
    timer=$!
    wait "$server"
    kill "$timer" 2>/dev/null
fi

# Children of a server that was killed may still be writing.
tries=0
until rm -rf "$directory" 2>/dev/null || [ "$tries" -ge 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
