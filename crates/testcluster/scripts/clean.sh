# Removes what the kernel leaves of a cluster whose processes are gone: clean.sh FOLDER CGROUP
folder=$1 cgroup=$2
while read -r _ point kind _; do
	case $kind in cgroup | cgroup2) ;; *) continue ;; esac
	# A group can stay busy for a moment after its last process ended.
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ -d "$point/$cgroup" ] || break
		find "$point/$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null && break
		sleep 0.1
	done
done </proc/mounts
rm -rf "$folder"
