# docker build -f examples/deploy/containers/agent.Dockerfile -t reconciler-agent .     (from the repository's root)
FROM python:3.11-slim-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends build-essential git \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN python -m venv /opt/reconciler && /opt/reconciler/bin/pip install --no-cache-dir '.[hummingbot]'
# Minutes the first time, since Hummingbot is compiled; the cache makes the next time short.
RUN --mount=type=cache,target=/var/cache/uv \
    /opt/reconciler/bin/reconciler agent install --into /opt/hummingbot --wheel-cache /var/cache/uv --python /usr/local/bin/python3

FROM python:3.11-slim-bookworm
RUN useradd --uid 10002 --user-group --create-home --home-dir /var/lib/reconciler-agent reconciler-agent \
 && chmod 700 /var/lib/reconciler-agent
COPY --from=build /opt/reconciler /opt/reconciler
COPY --from=build /opt/hummingbot /opt/hummingbot
COPY --chmod=755 examples/deploy/containers/agent-entrypoint.sh /usr/local/bin/agent-entrypoint.sh
ENV PATH=/opt/reconciler/bin:$PATH
USER 10002:10002
WORKDIR /var/lib/reconciler-agent
# Fails the build, rather than the first bot, if a library is missing here.
RUN reconciler agent --hummingbot-python /opt/hummingbot/bin/python doctor --only interpreter --only package
VOLUME /var/lib/reconciler-agent
HEALTHCHECK --interval=60s --timeout=45s --start-period=30s \
  CMD ["reconciler", "--config", "/etc/reconciler/agent.yaml", "agent", "--state-dir", "/var/lib/reconciler-agent", "doctor", "--only", "broker", "--only", "state"]
ENTRYPOINT ["agent-entrypoint.sh", "/var/lib/reconciler-agent", "reconciler", "--config", "/etc/reconciler/agent.yaml", "agent"]
CMD ["--runner", "hummingbot", "--hummingbot-python", "/opt/hummingbot/bin/python", "--state-dir", "/var/lib/reconciler-agent"]
