FROM python:3.12-slim AS base

WORKDIR /app

ENV VIRTUAL_ENV=/opt/venv \
    PATH="/opt/venv/bin:$PATH"

FROM base AS builder

# Only the build needs these.
RUN apt-get update && apt-get install -y build-essential && rm -rf /var/lib/apt/lists/*

# uv installs in a fraction of pip's time
RUN pip install uv

RUN python -m venv /opt/venv

COPY pyproject.toml uv.lock ./
RUN uv pip install -r pyproject.toml

FROM base AS runtime

COPY --from=builder /opt/venv /opt/venv

COPY . .
CMD ["python", "main.py"]
