# unteach in a container, on a CPU:
#
#     docker build -t unteach .
#     docker run --rm -v "$PWD:/data" unteach run --model my-model --forget forget.jsonl --out unlearned
#
# On GPUs, with torch's build for CUDA (the host has the driver and NVIDIA's container toolkit):
#
#     docker build -t unteach:cuda --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128 .
#     docker run --rm --gpus all -v "$PWD:/data" unteach:cuda run ...
#
# Add `--user "$(id -u):$(id -g)"` where the folder that is mounted is not of user 1000.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim-bookworm AS build
ARG SOURCE_DATE_EPOCH=0
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
RUN pip install --no-cache-dir -c constraints.txt hatchling \
    && pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist .

FROM python:${PYTHON}-slim-bookworm
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG EXTRAS=""
COPY --from=build /src/constraints.txt /dist/*.whl /dist/
RUN pip install --no-cache-dir -c /dist/constraints.txt --index-url "${TORCH_INDEX}" torch \
    && wheel="$(ls /dist/*.whl)" \
    && pip install --no-cache-dir -c /dist/constraints.txt "${wheel}${EXTRAS:+[${EXTRAS}]}" \
    && rm -r /dist \
    && useradd --create-home --uid 1000 unteach \
    && install -d -o unteach -g unteach /data
USER 1000:1000
WORKDIR /data
ENV HF_HUB_DISABLE_TELEMETRY=1 \
    PYTHONUNBUFFERED=1
ENTRYPOINT ["unteach"]
CMD ["--help"]
