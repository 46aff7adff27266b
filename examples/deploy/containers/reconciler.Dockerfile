# docker build -f examples/deploy/containers/reconciler.Dockerfile -t reconciler .     (from the repository's root)
FROM python:3.11-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN python -m venv /opt/reconciler && /opt/reconciler/bin/pip install --no-cache-dir .

FROM python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends git openssh-client \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --create-home --home-dir /var/lib/reconciler reconciler \
 && chmod 700 /var/lib/reconciler
COPY --from=build /opt/reconciler /opt/reconciler
ENV PATH=/opt/reconciler/bin:$PATH
USER 10001:10001
WORKDIR /var/lib/reconciler
VOLUME /var/lib/reconciler
# 0: as Git has it, 2: changes pending. Anything else: it cannot see the bots, or not work at all.
HEALTHCHECK --interval=60s --timeout=30s --start-period=30s \
  CMD reconciler --config /etc/reconciler/reconciler.yaml status --quick >/dev/null; case $? in 0|2) exit 0;; esac; exit 1
ENTRYPOINT ["reconciler", "--config", "/etc/reconciler/reconciler.yaml"]
CMD ["run"]
