FROM python:3.12-slim AS base

RUN apt-get update && apt-get install -y cron && rm -rf /var/lib/apt/lists/*

FROM base AS builder

# Only the build needs these.
RUN apt-get update && apt-get install -y gcc && rm -rf /var/lib/apt/lists/*

COPY requirements.txt /
RUN pip install -r /requirements.txt

FROM base AS runtime

COPY --from=builder /usr/local/lib/python3.12/site-packages /usr/local/lib/python3.12/site-packages
COPY --from=builder /usr/local/bin /usr/local/bin

COPY crontab /etc/cron.d/
CMD ["cron", "-f"]
