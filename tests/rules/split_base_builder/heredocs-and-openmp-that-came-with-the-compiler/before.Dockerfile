FROM python:3.12-slim
RUN <<EOF
set -e
apt-get update
apt-get install -y --no-install-recommends gcc libc6-dev
rm -rf /var/lib/apt/lists/*
EOF
WORKDIR /app
COPY requirements.txt .
RUN <<EOF
pip install --upgrade pip
pip install -r requirements.txt
EOF
COPY . .
CMD ["python", "main.py"]
