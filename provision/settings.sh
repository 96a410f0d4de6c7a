#!/bin/bash
# Hands to the guest what labs.yaml asks for under `guest:`, from the folder settings/ beside this script:
#   ca-certificates.crt  certificates to trust      apt-mirror  where the archive is
#   pip.conf             pip's own configuration    proxy       the way out
# A file that is not there is a setting that was not asked for. Run twice, it changes nothing.
set -euo pipefail

settings=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/settings
[ -d "$settings" ] || exit 0
bundle=/etc/ssl/certs/ca-certificates.crt
mkdir -p /var/lib/lab
environment=$(mktemp /var/lib/lab/.environment.XXXXXX)
trap 'rm -f "$environment"' EXIT

digest=$(find "$settings" -type f -exec sha256sum {} + | sort | sha256sum)
if [ "$digest" = "$(cat /var/lib/lab/settings 2>/dev/null)" ]; then
    exit 0
fi

# Every certificate becomes a file of its own: update-ca-certificates reads only the first of each file. Those that the
# guest trusts already are left out.
trust() {
    local folder=/usr/local/share/ca-certificates
    mkdir -p "$folder"
    rm -f "$folder"/lab-*.crt
    awk -v folder="$folder" '
        /-----BEGIN CERTIFICATE-----/ { inside = 1; body = ""; next }
        /-----END CERTIFICATE-----/ {
            if (FNR == NR) { known[body] = 1 }
            else if (!(body in known)) {
                known[body] = 1
                file = sprintf("%s/lab-%03d.crt", folder, ++count)
                gsub(/.{64}/, "&\n", body)
                sub(/\n$/, "", body)
                printf "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n", body > file
                close(file)
            }
            inside = 0
            next
        }
        inside { gsub(/[ \t\r]/, ""); body = body $0 }
    ' "$bundle" "$1"
    update-ca-certificates >/dev/null
}

if [ -e "$settings/ca-certificates.crt" ]; then
    trust "$settings/ca-certificates.crt"
    # pip and requests bring a list of their own, and look at the system's only when told.
    for name in PIP_CERT REQUESTS_CA_BUNDLE SSL_CERT_FILE; do
        printf '%s=%s\n' "$name" "$bundle" >>"$environment"
    done
fi
if [ -e "$settings/apt-mirror" ]; then
    mirror=$(cat "$settings/apt-mirror")
    awk -v mirror="$mirror" '$1 == "deb" || $1 == "deb-src" { $2 = mirror } { print }' /etc/apt/sources.list \
        >/etc/apt/sources.list.new
    mv /etc/apt/sources.list.new /etc/apt/sources.list
fi
if [ -e "$settings/pip.conf" ]; then
    install -m 0644 "$settings/pip.conf" /etc/pip.conf
fi
if [ -e "$settings/proxy" ]; then
    proxy=$(cat "$settings/proxy")
    printf 'Acquire::http::Proxy "%s";\nAcquire::https::Proxy "%s";\n' "$proxy" "$proxy" >/etc/apt/apt.conf.d/90lab-proxy
    chmod 0600 /etc/apt/apt.conf.d/90lab-proxy
    for name in http_proxy https_proxy HTTP_PROXY HTTPS_PROXY; do
        printf '%s=%s\n' "$name" "$proxy" >>"$environment"
    done
    printf 'no_proxy=localhost,127.0.0.1\nNO_PROXY=localhost,127.0.0.1\n' >>"$environment"
fi

# /etc/environment is for the students' own logins; the lines between the marks are lab's.
touch /etc/environment
{
    sed '/^# lab: begin$/,/^# lab: end$/d' /etc/environment
    echo '# lab: begin'
    cat "$environment"
    echo '# lab: end'
} >/etc/environment.new
chmod 0644 /etc/environment.new
mv /etc/environment.new /etc/environment
chmod 0600 "$environment"
mv "$environment" /var/lib/lab/environment
echo "$digest" >/var/lib/lab/settings
