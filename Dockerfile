# OneFlow as an image: the locked packages and the wheel under an ordinary user, without pip or build tools.
# The base is named by its tag here; a release puts the digest in its place.
#
#   docker build -t oneflow .
#   docker run --rm -p 8000:8000 -v oneflow:/var/lib/oneflow -e OPENAI_API_KEY oneflow

FROM python:3.13-slim-bookworm AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ONLY_BINARY=:all: PYTHONDONTWRITEBYTECODE=1
COPY requirements.txt requirements-build.txt ./
RUN python -m venv tools \
 && tools/bin/pip install --require-hashes -r requirements-build.txt \
 && python -m venv /opt/oneflow \
 && /opt/oneflow/bin/pip install --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN tools/bin/python -m hatchling build --target wheel --directory dist \
 && /opt/oneflow/bin/pip install --no-index --no-deps dist/*.whl \
 && /opt/oneflow/bin/python -m compileall -q /opt/oneflow/lib \
 && /opt/oneflow/bin/pip uninstall --yes pip \
 && mkdir /kept

FROM python:3.13-slim-bookworm
COPY --from=build /opt/oneflow /opt/oneflow
COPY --from=build --chown=10001:10001 /kept /var/lib/oneflow
ENV HOME=/var/lib/oneflow ONEFLOW_HOME=/var/lib/oneflow ONEFLOW_SERVER__HOST=0.0.0.0 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/oneflow
VOLUME /var/lib/oneflow
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["/opt/oneflow/bin/python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
ENTRYPOINT ["/opt/oneflow/bin/oneflow"]
CMD ["serve"]
