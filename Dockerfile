# The connector's image: `source-salesforce-bulk` for Airbyte, and `salesforce-bulk` for exports without it.
#
#   make image                        builds it with docker or podman
#   make image PLATFORM=linux/amd64   for another machine than this one, such as AWS Fargate's
#   make image BASE_IMAGE=NAME        on another base with Python 3.11 or later
#   make image-test                   tries every command through the container
#
# Airbyte's own base for Python connectors (Debian, Python 3.13, a user with the id 1000), pinned as in metadata.yaml.
ARG BASE_IMAGE=docker.io/airbyte/python-connector-base:4.1.0@sha256:1d1aa21d34e851df4e8a87b391c27724c06e2597608e7161f4d167be853bd7b6

# Everything that is installed lies in one virtual environment, made here and copied as it is. Its interpreter is the
# base's, so both stages have the same base.
FROM ${BASE_IMAGE} AS build
# Root of this stage alone: it writes to /opt.
# hadolint ignore=DL3002
USER 0:0
WORKDIR /build

# The tools that install. They stay behind in this stage.
COPY requirements/setup.txt requirements/
RUN python3 -m venv /build/tools \
    && /build/tools/bin/python -m pip install --no-cache-dir --require-hashes -r requirements/setup.txt

# Packages change less often than the code, so they are a layer of their own. Bytecode is compiled here: the root file
# system may be read-only later, and importing the CDK without bytecode takes a second longer. The packages' own
# tests and C headers go.
ENV UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1 UV_SYSTEM_CERTS=1 UV_PYTHON_DOWNLOADS=never
COPY requirements/export.txt requirements/
RUN python3 -m venv --without-pip /opt/connector \
    && /build/tools/bin/uv pip sync --python /opt/connector/bin/python --require-hashes requirements/export.txt \
    && find /opt/connector/lib -depth \( -name tests -o -path '*/pyarrow/include' \) -exec rm -r {} +

COPY pyproject.toml README.md LICENSE ./
COPY source_salesforce_bulk source_salesforce_bulk
# Wheels of the native page core, where there are any; the one for these processors is installed.
COPY deploy/image dist
RUN VIRTUAL_ENV=/build/tools /build/tools/bin/uv build --wheel --no-build-isolation --out-dir dist \
    && find dist -name '*.whl' ! -name '*-any.whl' ! -name "*_$(uname -m).whl" -delete \
    && /build/tools/bin/uv pip install --python /opt/connector/bin/python --no-deps dist/*.whl


FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="source-salesforce-bulk" \
      org.opencontainers.image.description="Extracts large volumes of Salesforce data with Bulk API 2.0 query jobs" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT" \
      io.airbyte.name="airbyte/source-salesforce-bulk" \
      io.airbyte.version="0.1.0"

# Result pages are spooled below TMPDIR. As a declared volume that belongs to the user it is writable with a read-only
# root too, on Fargate as well, where a mounted task volume takes its owner from here.
USER 0:0
RUN mkdir /scratch && chown 1000:1000 /scratch
VOLUME ["/scratch"]

COPY --from=build /opt/connector /opt/connector

# Airbyte starts what AIRBYTE_ENTRYPOINT names. It is the program itself, never a shell round it: a shell would keep
# SIGTERM to itself, and the last state would be lost.
ENV PATH="/opt/connector/bin:${PATH}" \
    TMPDIR="/scratch" \
    AIRBYTE_ENTRYPOINT="/opt/connector/bin/source-salesforce-bulk"
USER 1000:1000
WORKDIR /scratch
ENTRYPOINT ["/opt/connector/bin/source-salesforce-bulk"]
