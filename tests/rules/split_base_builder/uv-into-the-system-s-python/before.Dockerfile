FROM python:3.12-slim
RUN apt-get update && apt-get install -y build-essential && rm -rf /var/lib/apt/lists/*
# uv installs in a fraction of pip's time
RUN pip install uv
WORKDIR /app
COPY pyproject.toml uv.lock ./
RUN uv pip install --system -r pyproject.toml
COPY . .
CMD ["python", "main.py"]
