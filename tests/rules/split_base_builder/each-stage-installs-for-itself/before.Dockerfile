FROM python:3.12-slim AS base
RUN apt-get update && apt-get install -y gcc tini && rm -rf /var/lib/apt/lists/*

FROM base AS development
COPY requirements-dev.txt .
RUN pip install -r requirements-dev.txt

FROM base AS production
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY . .
ENTRYPOINT ["tini", "--"]
CMD ["gunicorn", "app:app"]
