FROM python:3.12-slim AS base
RUN apt-get update && apt-get install -y tini && rm -rf /var/lib/apt/lists/*

FROM base AS development

# Only the build needs these.
RUN apt-get update && apt-get install -y gcc && rm -rf /var/lib/apt/lists/*

COPY requirements-dev.txt .
RUN pip install -r requirements-dev.txt

FROM base AS builder

ENV PATH="/opt/venv/bin:$PATH"

# Only the build needs these.
RUN apt-get update && apt-get install -y gcc && rm -rf /var/lib/apt/lists/*

RUN python -m venv /opt/venv

COPY requirements.txt .
RUN pip install -r requirements.txt

FROM base AS production

ENV PATH="/opt/venv/bin:$PATH"

COPY --from=builder /opt/venv /opt/venv

COPY . .
ENTRYPOINT ["tini", "--"]
CMD ["gunicorn", "app:app"]
