# syntax=docker/dockerfile:1
FROM rust:1.95-bookworm AS build
WORKDIR /build

# The dependencies alone, in a layer that lasts until Cargo.toml or Cargo.lock changes: most of the build's time.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src benches \
 && echo 'fn main() {}' > src/main.rs \
 && touch src/lib.rs \
 && for bench in $(sed -n '/^\[\[bench\]\]/,/^$/s/^name *= *"\([^"]*\)".*/\1/p' Cargo.toml); do \
      echo 'fn main() {}' > "benches/$bench.rs"; \
    done \
 && cargo build --release --locked --bin patronage

# `init` embeds the shipped pipeline and environment. Cargo goes by modification times, hence the touch.
COPY src src
COPY pipelines pipelines
COPY configs configs
RUN touch src/main.rs src/lib.rs && cargo build --release --locked --bin patronage

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home patronage \
 && install --directory --owner=10001 --group=10001 /project
COPY --from=build /build/target/release/patronage /usr/local/bin/patronage
USER 10001
WORKDIR /project
ENTRYPOINT ["patronage"]
CMD ["--help"]
