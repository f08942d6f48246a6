# Prints its argument as the inside of a JSON string. The x at the end keeps line breaks there.
rutter_json() {
  printf '%sx' "$1" | sed -e 's/[\\"]/\\&/g' -e "$(rutter_controls)" | tr '\n' '\001' | sed -e "$(printf 's/\001/\\\\n/g')"
}
# Every control character but the line break, which sed does not see.
rutter_controls() {
  for rutter_code in 1 2 3 4 5 6 7 8 9 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31; do
    printf "s/\\$(printf %03o "$rutter_code")/\\\\\\\\u%04x/g\n" "$rutter_code"
  done
}
rutter_name= rutter_named= rutter_message=
while [ $# -ge 2 ]; do
  case $1 in
    name) rutter_name=$2 rutter_named=yes ;;
    message) rutter_message=$2 ;;
  esac
  shift 2
done
if [ -z "$rutter_named" ]; then
  echo 'the input name is missing' >&2
  exit 1
fi
rutter_text="Hello '$rutter_name'!"
[ -z "$rutter_message" ] || rutter_text="Hello '$rutter_name': '$rutter_message'"
rutter_text=$(rutter_json "$rutter_text")
rutter_result="{\"result\": \"${rutter_text%x*}\"}"
set --
