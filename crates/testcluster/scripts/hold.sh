# Holds a cluster: hold.sh FOLDER CGROUP keep|follow
# Everything of a cluster runs in the namespaces (processes, mounts, network) of one first process. When that one ends the
# kernel ends all others and takes mounts and interfaces with them; what is left is cleaned here, whoever killed what.
# `follow` ends the cluster when stdin does, that is with the process that started it, however that one ended.
folder=$1 cgroup=$2 mode=$3
unshare --pid --mount --net --fork --kill-child sh "$folder/inside.sh" "$folder" "$cgroup" "$mode"
# One that could not begin leaves its folder to whoever wanted it, for the reasons in it.
[ -e "$folder/init" ] || exit 1
exec sh "$folder/clean.sh" "$folder" "$cgroup"
