ARG TAG=3.12-slim
FROM python:${TAG} AS base
ENV VIRTUAL_ENV=/venv \
    PATH=/venv/bin:$PATH
ARG REQUIREMENTS=requirements.txt

RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt,sharing=locked \
    apt-get update && apt-get install -y --no-install-recommends libxml2 libxslt1.1

FROM base AS builder

# Only the build needs these.
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt,sharing=locked \
    apt-get update && apt-get install -y --no-install-recommends g++ libxml2-dev libxslt1-dev

RUN python -m venv $VIRTUAL_ENV
COPY requirements*.txt /tmp/
RUN --mount=type=cache,target=/root/.cache/pip pip install -r /tmp/$REQUIREMENTS

FROM base AS web

COPY --from=builder /venv /venv

ARG REVISION
LABEL org.opencontainers.image.revision=$REVISION
WORKDIR /app
COPY . .
VOLUME /data
CMD ["python", "-m", "app"]
