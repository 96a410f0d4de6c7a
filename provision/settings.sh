#!/bin/bash
# Hands to the guest what labs.yaml asks for under `guest:`, from the folder settings/ beside this script:
#   ca-certificates.crt  certificates to trust      apt-mirror  where the archive is
#   pip.conf             pip's own configuration    proxy       the way out
#   offline              Python packages come from the wheelhouse in the guest, where its bake brought one, and from
#                        nowhere else
# A file that is not there is a setting that was not asked for: what lab itself put into the guest for it is taken away
# again. Run twice, it changes nothing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
settings=$here/settings
bundle=/etc/ssl/certs/ca-certificates.crt
certificates=/usr/local/share/ca-certificates
sources=/etc/apt/sources.list
apt_proxy=/etc/apt/apt.conf.d/90lab-proxy
wheels=/var/lib/lab/wheels
pip_mark='# Written by lab from labs.yaml'
mkdir -p /var/lib/lab

# lab's kits have a digest: of one that was seen through, nothing has to be read again.
kit=$(cat "$here/digest" 2>/dev/null || true)
if [ -n "$kit" ] && [ "$kit" = "$(cat /var/lib/lab/settings-of-kit 2>/dev/null)" ]; then
    exit 0
fi

# The folder may be missing, or empty: then nothing is asked for (any more).
parts=("$here/settings.sh")
[ ! -d "$settings" ] || parts+=("$settings")
digest=$(find "${parts[@]}" -type f -exec sha256sum {} + | sort | sha256sum)
if [ "$digest" = "$(cat /var/lib/lab/settings 2>/dev/null)" ]; then
    [ -z "$kit" ] || echo "$kit" >/var/lib/lab/settings-of-kit
    exit 0
fi
environment=$(mktemp /var/lib/lab/.environment.XXXXXX)
trap 'rm -f "$environment"' EXIT

# Every certificate becomes a file of its own: update-ca-certificates reads only the first of each file. Those that the
# guest trusts already are left out.
trust() {
    mkdir -p "$certificates"
    touch /var/lib/lab/trusts
    awk -v folder="$certificates" '
        /-----BEGIN CERTIFICATE-----/ { inside = 1; body = ""; next }
        /-----END CERTIFICATE-----/ {
            if (FILENAME == ARGV[1]) { known[body] = 1 }
            else if (!(body in known)) {
                known[body] = 1
                file = sprintf("%s/lab-%03d.crt", folder, ++count)
                print "-----BEGIN CERTIFICATE-----" > file
                # Not every awk knows {64} in a pattern.
                for (start = 1; start <= length(body); start += 64) print substr(body, start, 64) > file
                print "-----END CERTIFICATE-----" > file
                close(file)
            }
            inside = 0
            next
        }
        inside { gsub(/[ \t\r]/, ""); body = body $0 }
    ' "$bundle" "$1"
    update-ca-certificates >/dev/null
}

# What an earlier run added, even one that was cut off, goes first: it is in the bundle, and would be taken for the
# guest's own.
if [ -e /var/lib/lab/trusts ]; then
    rm -f "$certificates"/lab-*.crt
    update-ca-certificates --fresh >/dev/null
    rm /var/lib/lab/trusts
fi
if [ -e "$settings/ca-certificates.crt" ]; then
    trust "$settings/ca-certificates.crt"
    # pip and requests bring a list of their own, and look at the system's only when told.
    for name in PIP_CERT REQUESTS_CA_BUNDLE SSL_CERT_FILE; do
        printf '%s=%s\n' "$name" "$bundle" >>"$environment"
    done
fi

if [ -e "$settings/apt-mirror" ]; then
    if [ ! -e "$sources.before-lab" ]; then
        cp -p "$sources" "$sources.new"
        mv "$sources.new" "$sources.before-lab"
    fi
    mirror=$(cat "$settings/apt-mirror")
    awk -v mirror="$mirror" '$1 == "deb" || $1 == "deb-src" { $2 = mirror } { print }' "$sources" >"$sources.new"
    mv "$sources.new" "$sources"
elif [ -e "$sources.before-lab" ]; then
    mv "$sources.before-lab" "$sources"
fi

# Without a wheelhouse pip is left as it is: it would find nothing at all.
wheelhouse=
[ ! -e "$settings/offline" ] || [ ! -d "$wheels" ] || wheelhouse=$wheels

if [ -e "$settings/pip.conf" ] || [ -n "$wheelhouse" ]; then
    {
        echo "$pip_mark"
        if [ -e "$settings/pip.conf" ]; then cat "$settings/pip.conf"; else echo '[global]'; fi
        [ -z "$wheelhouse" ] || printf 'no-index = true\nfind-links = %s\n' "$wheelhouse"
    } >/etc/pip.conf.new
    chmod 0644 /etc/pip.conf.new
    mv /etc/pip.conf.new /etc/pip.conf
elif [ -e /etc/pip.conf ] && [ "$(head -n 1 /etc/pip.conf)" = "$pip_mark" ]; then
    rm /etc/pip.conf
fi

# pipenv has an index of its own in mind, and asks it for digests.
if [ -n "$wheelhouse" ]; then
    printf 'PIPENV_PYPI_MIRROR=file://%s/simple\n' "$wheelhouse" >>"$environment"
fi

if [ -e "$settings/proxy" ]; then
    proxy=$(cat "$settings/proxy")
    printf 'Acquire::http::Proxy "%s";\nAcquire::https::Proxy "%s";\n' "$proxy" "$proxy" >"$apt_proxy"
    chmod 0600 "$apt_proxy"
    for name in http_proxy https_proxy HTTP_PROXY HTTPS_PROXY; do
        printf '%s=%s\n' "$name" "$proxy" >>"$environment"
    done
    printf 'no_proxy=localhost,127.0.0.1\nNO_PROXY=localhost,127.0.0.1\n' >>"$environment"
else
    rm -f "$apt_proxy"
fi

# /etc/environment is for the students' own logins; the lines between the marks are lab's.
touch /etc/environment
{
    sed '/^# lab: begin$/,/^# lab: end$/d' /etc/environment
    if [ -s "$environment" ]; then
        echo '# lab: begin'
        cat "$environment"
        echo '# lab: end'
    fi
} >/etc/environment.new
chmod 0644 /etc/environment.new
mv /etc/environment.new /etc/environment
chmod 0600 "$environment"
mv "$environment" /var/lib/lab/environment
echo "$digest" >/var/lib/lab/settings
[ -z "$kit" ] || echo "$kit" >/var/lib/lab/settings-of-kit
