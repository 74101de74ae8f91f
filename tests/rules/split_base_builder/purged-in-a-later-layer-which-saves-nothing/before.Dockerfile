FROM python:3.12-slim
RUN apt-get update
RUN apt-get install -y gcc libpq-dev
COPY requirements.txt .
RUN pip install -r requirements.txt
RUN apt-get purge -y gcc && rm -rf /var/lib/apt/lists/*
COPY . .
CMD ["python", "main.py"]
