FROM python:3.12-slim
RUN apt-get update && apt-get install -y gcc cron && rm -rf /var/lib/apt/lists/*
COPY requirements.txt /
RUN pip install -r /requirements.txt
COPY crontab /etc/cron.d/
CMD ["cron", "-f"]
