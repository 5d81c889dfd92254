# syntax=docker/dockerfile:1
FROM rust:1.95-bookworm AS build
WORKDIR /build

# The dependencies alone, in a layer that lasts until Cargo.toml or Cargo.lock changes: most of the build's time.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src benches \
 && echo 'fn main() {}' > src/main.rs \
 && touch src/lib.rs \
 && sed -n '/^\[\[bench\]\]/,/^$/s/^name *= *"\([^"]*\)".*/\1/p' Cargo.toml > benches/names \
 && while read -r bench; do \
      echo 'fn main() {}' > "benches/$bench.rs"; \
    done < benches/names \
 && cargo build --release --locked --bin patronage

# `init` and `export` embed the shipped pipeline, its environment and deploy/. Cargo goes by modification times, hence the touch.
COPY src src
COPY pipelines pipelines
COPY configs configs
COPY deploy deploy
RUN touch src/main.rs src/lib.rs && cargo build --release --locked --bin patronage

# The program needs the C library and, for S3 over TLS, the certificates; no shell. The shell and `date` of the base serve
# backfills by date (deploy/kubernetes). The base's C library must be no older than that of the build.
FROM debian:bookworm-slim
# Not pinned: Debian takes a version away as soon as a mended one is there, and the newest certificates are wanted.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/apt /var/log/dpkg.log /var/log/alternatives.log \
 && groupadd --gid 65532 patronage \
 && useradd --key UID_MAX=65532 --uid 65532 --gid 65532 --no-log-init --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin patronage \
 && install --directory --owner=65532 --group=65532 \
      /project /project/pipelines /project/configs /project/data /project/target /project/target/patronage
# As `--build-context build=DIR` a directory with build/target/release/patronage takes the place of the stage above.
COPY --from=build /build/target/release/patronage /usr/local/bin/patronage
# By number, so that Kubernetes can tell that it is not root. Nothing is written outside of target/ and /tmp.
USER 65532:65532
WORKDIR /project
ENTRYPOINT ["patronage"]
CMD ["--help"]
