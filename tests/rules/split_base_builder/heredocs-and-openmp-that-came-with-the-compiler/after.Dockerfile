FROM python:3.12-slim AS base

RUN <<EOF
set -e
apt-get update
apt-get install -y --no-install-recommends libgomp1
rm -rf /var/lib/apt/lists/*
EOF

WORKDIR /app

ENV PATH="/opt/venv/bin:$PATH"

FROM base AS builder

# Only the build needs these.
RUN <<EOF
set -e
apt-get update
apt-get install -y --no-install-recommends gcc libc6-dev
rm -rf /var/lib/apt/lists/*
EOF

RUN python -m venv /opt/venv

COPY requirements.txt .
RUN <<EOF
pip install --upgrade pip
pip install -r requirements.txt
EOF

FROM base AS runtime

COPY --from=builder /opt/venv /opt/venv

COPY . .
CMD ["python", "main.py"]
