FROM python:3.12-slim AS base

RUN apt-get update && apt-get install -y git && rm -rf /var/lib/apt/lists/*

WORKDIR /app

ENV PATH="/opt/venv/bin:$PATH"

FROM base AS builder

# Only the build needs these.
RUN apt-get update && apt-get install -y gcc && rm -rf /var/lib/apt/lists/*

RUN python -m venv /opt/venv

COPY . .
RUN pip install -r requirements.txt

FROM base AS runtime

COPY --from=builder /opt/venv /opt/venv

COPY . .

CMD ["python", "main.py"]
