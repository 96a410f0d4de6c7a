#!/bin/bash
# The course's guide from top to bottom, as root on one machine: guide.sh STUDENT VIRTUAL-HOST
set -e
student=$1
vhost=$2
app=/home/$student/webapps/hellopython
export DEBIAN_FRONTEND=noninteractive PIP_CERT=/tmp/ca-certificates.crt REQUESTS_CA_BUNDLE=/tmp/ca-certificates.crt
chmod 644 /tmp/ca-certificates.crt

# Python, compiler, nginx, supervisor
apt-get update
apt-get install -y --no-install-recommends python3 python3-dev python3-distutils python3-venv gcc libc6-dev nginx supervisor

# pip, pipenv and uWSGI; Debian 12 wants them in an environment of their own
python3 -m venv /opt/python-tools
CPUCOUNT=1 /opt/python-tools/bin/pip install pipenv uwsgi
ln -s /opt/python-tools/bin/pip /opt/python-tools/bin/pipenv /opt/python-tools/bin/uwsgi /usr/local/bin

# supervisor for its group
groupadd supervisor
sed -i '/^chmod=/d; s/^\[unix_http_server\]/&\nchmod=0770\nchown=root:supervisor/' /etc/supervisor/supervisord.conf
systemctl restart supervisor

# The student
useradd --create-home --shell /bin/bash --groups supervisor "$student"
chmod o+x "/home/$student"
cat >>"/home/$student/.bashrc" <<'BASHRC'
alias python=python3.11
export PATH=$PATH:~/.local/bin
BASHRC

# The application
runuser -l "$student" -w PIP_CERT,REQUESTS_CA_BUNDLE -c 'mkdir -p ~/webapps/hellopython/static && cd ~/webapps/hellopython &&
    echo hello >static/hello.txt && pipenv install flask'
venv=$(runuser -l "$student" -c 'cd ~/webapps/hellopython && pipenv --venv')
cat >"$app/main.py" <<'PYTHON'
from flask import Flask

app = Flask(__name__)


@app.route("/")
def hello():
    return "Hello World!"
PYTHON
cat >"$app/run.sh" <<RUN
#!/bin/bash
cd $app
exec uwsgi --socket 127.0.0.1:8080 --home $venv -w main:app
RUN
chmod +x "$app/run.sh"
chown "$student:" "$app/main.py" "$app/run.sh"

# The virtual host
cat >"/etc/nginx/sites-available/$vhost" <<NGINX
server {
    listen 80;
    server_name $vhost;
    location / { uwsgi_pass 127.0.0.1:8080; include uwsgi_params; }
    location /static { root $app; }
}
NGINX
ln -s "../sites-available/$vhost" "/etc/nginx/sites-enabled/$vhost"
systemctl reload nginx

# The program
cat >/etc/supervisor/conf.d/hellopython.conf <<INI
[program:hellopython]
user = $student
command = $app/run.sh
autostart = true
autorestart = true
stopsignal = INT
killasgroup = true
stderr_logfile = $app/hellopython.err.log
stdout_logfile = $app/hellopython.out.log
INI
supervisorctl update
