# The first process of a cluster, in namespaces that are still bare: inside.sh FOLDER CGROUP keep|follow
set -eu
folder=$1 cgroup=$2 mode=$3
# The old /proc is still there: it tells by which number and start time the outside knows this process.
read -r stat </proc/self/stat
set -- $stat
outside="$1 ${22}"
mount -t proc proc /proc
# Volumes are passed on to containers; the new namespace is a peer group of its own, so nothing reaches the host.
mount --make-rshared /
# Kubernetes and containerd have paths that no setting moves.
for path in run var/lib var/log; do
	mkdir -p "$folder/$path"
	mount --bind "$folder/$path" "/$path"
done

ip link set lo up
ip link add cni0 type bridge
ip address add 10.244.0.1/24 dev cni0
ip link set cni0 up
echo 1 >/proc/sys/net/ipv4/ip_forward

# The kubelet wants its control group to be there, in every hierarchy.
while read -r _ point kind _; do
	case $kind in cgroup | cgroup2) ;; *) continue ;; esac
	mkdir -p "$point/$cgroup"
	for file in cpuset.cpus cpuset.mems; do
		if [ "$kind" = cgroup ] && [ -e "$point/$file" ]; then
			cat "$point/$file" >"$point/$cgroup/$file"
		fi
	done
done </proc/mounts

echo "$outside" >"$folder/init.new"
mv "$folder/init.new" "$folder/init"
# A shell that waits also collects the processes that lost their parents.
if [ "$mode" = follow ]; then cat >/dev/null; else sleep infinity; fi
exit 0
