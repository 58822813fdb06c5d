#!/bin/sh
# Makes the passwords of compose.yaml: random, once, in the folder "secrets" beside this file. What is there is kept, since
# the database has it already. To start anew, remove the folder and the volume of the database.
#
# Engines mount the files as they are, and the programs inside run as other users: everybody may read a file. The folder
# keeps the users of this machine out.
set -eu
folder=$(cd "$(dirname "$0")" && pwd -P)/secrets
mkdir -p "$folder"
chmod 0700 "$folder"
for name in app_password postgres_password; do
  file=$folder/$name
  [ -s "$file" ] && continue
  # Renamed when it is whole: an interrupted run leaves no half of a password.
  (umask 077 && od -An -N24 -tx1 /dev/urandom | tr -d ' \n' > "$file.new")
  [ "$(wc -c < "$file.new")" -eq 48 ] || { echo "/dev/urandom cannot be read." >&2; exit 1; }
  chmod 0644 "$file.new"
  mv "$file.new" "$file"
  echo "made $file" >&2
done
