#!/usr/bin/env python3
"""Runs the shipped pipeline and looks at what it told: metrics, a webhook, OpenLineage, traces. Run by observability.sh."""

import base64
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import jsonschema
import referencing
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


def check(condition, told):
    if not condition:
        sys.exit(f"failed: {told}")


class Listener:
    """An HTTP server that remembers what it was sent."""

    def __init__(self, status=200):
        self.heard = heard = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                heard.append((self.path, dict(self.headers), body))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


class Project:
    def __init__(self, program, root):
        self.program, self.root = program, Path(root) / "shop"
        subprocess.run([program, "init", str(self.root)], check=True, stdout=subprocess.DEVNULL)

    def run(self, code, *flags, **variables):
        command = [self.program, "run", "pipelines/nightly.yaml", *flags]
        environment = {**os.environ, "NO_COLOR": "1", **variables}
        ended = subprocess.run(command, cwd=self.root, env=environment, text=True, capture_output=True)
        check(ended.returncode == code, f"ended with {ended.returncode}, not {code}: {ended.stderr}")
        return ended.stdout + ended.stderr


def promtool(text):
    ended = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True)
    check(ended.returncode == 0 and not ended.stderr, f"promtool: {ended.stdout}{ended.stderr}")


def test_metrics(project, scratch):
    file = scratch / "patronage.prom"
    project.run(0, "--metrics-file", str(file))
    text = file.read_text()
    promtool(text)
    for name in ["patronage_run_success", "patronage_step_rows", "patronage_model_measure", "patronage_check_failed_rows"]:
        check(f"\n{name}{{" in text, f"there is no {name}")
    project.run(78, "--metrics-file", str(file), "--env", "nowhere")
    failed = file.read_text()
    promtool(failed)
    check(" 78\n" in failed and "last_success" in failed, "the last success outlives a failure")
    broken = subprocess.run(["promtool", "check", "metrics"], input="a{b=1} 2", text=True, capture_output=True)
    check(broken.returncode != 0, "promtool refuses what is broken")


def test_pushgateway(project, _):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    gateway = subprocess.Popen(["prometheus-pushgateway", f"--web.listen-address={address}"], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://{address}/-/ready", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        project.run(0, "--pushgateway", f"http://{address}")
        project.run(66, "--pushgateway", f"http://{address}/", "--run-date", "2030-01-01")
        metrics = urllib.request.urlopen(f"http://{address}/metrics", timeout=5).read().decode()
    finally:
        gateway.kill()
    mine = [line for line in metrics.splitlines() if line.startswith("patronage_run_")]
    check(any(line.startswith("patronage_run_exit_code{") and line.endswith(" 66") for line in mine), mine)
    check(any(line.startswith("patronage_run_last_success_") for line in mine), "what it knew of the success stays")
    said = project.run(0, "--pushgateway", "http://127.0.0.1:1")
    check("failed to push metrics to 127.0.0.1: no connection" in said, said)


def test_webhook(project, scratch):
    listener = Listener()
    project.run(0, "--webhook", listener.url + "/secret-path")
    check(not listener.heard, "nothing is told of a success")
    secret = scratch / "webhook"
    secret.write_text(listener.url + "/secret-path\n")
    project.run(66, "--webhook-file", str(secret), "--run-date", "2030-01-01")
    (path, _, body), = listener.heard
    payload = json.loads(body)
    check(path == "/secret-path" and payload["exit_code"] == 66 and len(body) < 8192, body)
    check(payload["text"].startswith("nightly 2030-01-01 failed with exit code 66"), payload["text"])
    said = project.run(78, "--env", "nowhere", PATRONAGE_WEBHOOK=listener.url)
    check(json.loads(listener.heard[-1][2])["run_id"] is None, "a run that could not start is told, too")
    said += project.run(2, PATRONAGE_WEBHOOK="secret-path")
    away = Listener(status=500)
    said += project.run(66, "--run-date", "2030-01-01", PATRONAGE_WEBHOOK=away.url + "/secret-path")
    check("answered 500" in said and "secret-path" not in said, said)
    everything = b"".join(path.read_bytes() for path in project.root.glob("target/patronage/*/*") if path.is_file())
    check(b"secret-path" not in everything, "the address is in no artifact")


def test_openlineage(project, scratch):
    listener, file = Listener(), scratch / "all.ndjson"
    run = "0190a3c4-1111-7222-8333-444455556666"
    shutil.rmtree(project.root / "target", ignore_errors=True)
    project.run(0, OPENLINEAGE_URL=listener.url, OPENLINEAGE_API_KEY="k3y", OPENLINEAGE_PARENT_ID=f"airflow/dag.task/{run}")
    sent = [json.loads(body) for _, _, body in listener.heard]
    artifacts = max((project.root / "target/patronage").glob("*/events.ndjson"))
    check(sent == [json.loads(line) for line in artifacts.read_text().splitlines()], "what is sent is what is kept")
    check(listener.heard[0][0] == "/api/v1/lineage" and listener.heard[0][1]["authorization"] == "Bearer k3y", "to whom")
    whole = [event for event in sent if event["job"]["name"] == "nightly"]
    check([event["eventType"] for event in whole] == ["START", "COMPLETE"], "one start, one end")
    check(whole[0]["run"]["facets"]["parent"]["run"]["runId"] == run, "the run that started it")
    scores = [event for event in sent if event["job"]["name"] == "nightly.stage.scores"][-1]["outputs"][0]
    check(any(field["name"] == "customer_id" for field in scores["facets"]["schema"]["fields"]), scores)
    told = columns_and_checks(sent)
    variables = {"OPENLINEAGE__TRANSPORT__TYPE": "file", "OPENLINEAGE__TRANSPORT__LOG_FILE_PATH": str(file)}
    project.run(66, "--run-date", "2030-01-01", **variables)
    failed = [json.loads(line) for line in file.read_text().splitlines()]
    check(failed[-1]["eventType"] == "FAIL", failed[-1])
    said = project.run(66, "--run-date", "2030-01-01", OPENLINEAGE_URL="http://127.0.0.1:1")
    check(said.count("failed to send OpenLineage events") == 1, said)
    broken = failing_check(project, scratch)
    specification = os.environ.get("PATRONAGE_OPENLINEAGE")
    if not specification:
        print("skipped: events are not held against the specification; PATRONAGE_OPENLINEAGE says where it is")
        return
    everything = sent + failed + broken
    kinds = validate(Path(specification), everything)
    for kind in ["columnLineage", "dataQualityAssertions", "dataQualityMetrics", "schema", "outputStatistics"]:
        check(kinds.get(kind), f"no event has {kind}")
    print(f"{len(everything)} events and {sum(kinds.values())} facets are as the specification has them; {told}")


def ended(events, job):
    """The last event of a node."""
    return [event for event in events if event["job"]["name"] == f"nightly.{job}"][-1]


def origins(output, column):
    """What a column is made of: (dataset, field) to subtypes."""
    fields = output["facets"]["columnLineage"]["fields"][column]["inputFields"]
    return {(one["name"], one["field"]): [used.get("subtype") for used in one["transformations"]] for one in fields}


def columns_and_checks(events):
    """Some truths about the shipped pipeline that its reader knows."""
    sales = ended(events, "stage.sales")["outputs"][0]
    amount = {("transactions", "quantity"): ["TRANSFORMATION"], ("transactions", "unit_price"): ["TRANSFORMATION"]}
    check(origins(sales, "amount") == amount, origins(sales, "amount"))
    check(origins(sales, "country") == {("transactions", "country"): ["IDENTITY"]}, origins(sales, "country"))
    rows = {one["field"] for one in sales["facets"]["columnLineage"]["dataset"]}
    check(rows == {"customer_id", "unit_price"}, rows)
    customers = ended(events, "stage.customers")["outputs"][0]
    check(origins(customers, "spend") == {("sales", "amount"): ["AGGREGATION"]}, origins(customers, "spend"))
    recency = {("sales", "ordered_at"): ["AGGREGATION"], ("sales", "quantity"): ["FILTER"]}
    check(origins(customers, "recency_days") == recency, origins(customers, "recency_days"))
    scores = ended(events, "publish.customer_scores")["outputs"][0]
    published = {("scores", "lifetime_clv"): ["IDENTITY"]}
    check(origins(scores, "lifetime_clv") == published, origins(scores, "lifetime_clv"))
    check(origins(scores, "run_date") == {}, "the run date is made of nothing")
    # Every origin is a column of something that the job reads, and no event is very long.
    for event in events:
        names = {(read["name"], field["name"]) for read in event["inputs"] for field in read["facets"]["schema"]["fields"]}
        for output in event["outputs"]:
            for column in output["facets"].get("columnLineage", {}).get("fields", {}):
                check(names >= origins(output, column).keys(), f"{output['name']}.{column}")
    longest = max(len(json.dumps(event)) for event in events)
    check(longest < 100_000, f"an event of {longest} bytes")
    read = ended(events, "source.transactions")["inputs"][0]["inputFacets"]
    found = {one["name"]: one for one in read["dataQualityAssertions"]["assertions"]}
    price = found["range unit_price min 0"]
    check(price["column"] == "unit_price" and not price["success"] and int(price["actual"]) > 0, price)
    check(found["freshness ordered_at max_age 7d"]["success"], found)
    check(read["dataQualityMetrics"]["rowCount"] > 0 and read["dataQualityMetrics"]["fileCount"] == 1, read)
    profile = customers["facets"]["dataQualityMetrics"]["columnMetrics"]
    known = {"nullCount", "distinctCount"}
    check(profile["spend"]["nullCount"] == 0 and all(set(own) <= known for own in profile.values()), profile)
    return f"{sum(len(json.dumps(event)) for event in events)} bytes a night, {longest} at most an event"


def failing_check(project, scratch):
    """The events of a run that a stage's check stops."""
    pipeline, file = project.root / "pipelines/nightly.yaml", scratch / "broken.ndjson"
    text = pipeline.read_text()
    stage = "  - id: purchases "
    check(text.count(stage) == 1, "where the stage is")
    before, after = text.split(stage)
    checked = after.replace("    stage: sql\n", "    stage: sql\n    checks:\n      - {range: quantity, max: 1}\n", 1)
    pipeline.write_text(before + stage + checked)
    try:
        variables = {"OPENLINEAGE__TRANSPORT__TYPE": "file", "OPENLINEAGE__TRANSPORT__LOG_FILE_PATH": str(file)}
        project.run(65, "--select", "purchases", **variables)
    finally:
        pipeline.write_text(text)
    events = [json.loads(line) for line in file.read_text().splitlines()]
    checks = ended(events, "stage.purchases.checks")
    found, = checks["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    check(checks["eventType"] == "FAIL" and not found["success"] and found["severity"] == "error", checks)
    check(ended(events, "stage.purchases")["eventType"] == "FAIL", "the stage fails, too")
    return events


def validate(folder, events):
    """Every event against RunEvent, and every facet against the schema that it names; how many there are of each."""
    schemas = {}
    for path in [folder / "OpenLineage.json", *(folder / "facets").glob("*.json")]:
        schema = json.loads(path.read_text())
        schemas[schema["$id"]] = schema
    resources = [(name, referencing.Resource.from_contents(schema)) for name, schema in schemas.items()]
    registry = referencing.Registry().with_resources(resources)

    def against(reference, value):
        checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
        jsonschema.Draft202012Validator({"$ref": reference}, registry=registry, format_checker=checker).validate(value)

    counts = {}
    for event in events:
        against(event["schemaURL"], event)
        owners = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
        for owner in owners:
            for key in ("facets", "inputFacets", "outputFacets"):
                for name, facet in owner.get(key, {}).items():
                    against(facet["_schemaURL"], facet)
                    counts[name] = counts.get(name, 0) + 1
    broken = json.loads(json.dumps(events[0]))
    broken["run"]["runId"] = 7
    try:
        against(broken["schemaURL"], broken)
    except jsonschema.ValidationError:
        return counts
    sys.exit("failed: a broken event passes")


class Trace:
    """The spans that a listener heard, decoded by OpenTelemetry's own messages."""

    def __init__(self, heard):
        self.spans, self.resource = {}, {}
        for path, headers, body in heard:
            request = ExportTraceServiceRequest()
            if headers["content-type"] == "application/json":
                strict(json.loads(body))
                json_format.Parse(as_protobuf(body), request)
            else:
                check(headers["content-type"] == "application/x-protobuf", headers)
                request.ParseFromString(body)
                check(request.SerializeToString(deterministic=True) == body, "nothing in it that the messages do not know")
            (of,) = request.resource_spans
            (scope,) = of.scope_spans
            self.resource = attributes(of.resource)
            check(scope.scope.name == "patronage", scope.scope)
            for span in scope.spans:
                check(span.name not in self.spans, f"{span.name} comes once")
                self.spans[span.name] = span
        (self.root,) = [span for span in self.spans.values() if not attributes(span).get("patronage.node")]

    def check(self, run_id, started, ended):
        """What holds of every trace: one run, its nodes below it, in its time."""
        for span in self.spans.values():
            check(len(span.trace_id) == 16 and span.trace_id == self.root.trace_id, "one trace")
            check(len(span.span_id) == 8 and span.kind == Span.SPAN_KIND_INTERNAL, span)
            check(span is self.root or span.parent_span_id == self.root.span_id, "nodes are below the run")
            check(self.root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano, span)
            check(span.end_time_unix_nano <= self.root.end_time_unix_nano, span)
            check(attributes(span)["patronage.run_id"] == run_id, span)
        check(started <= self.root.start_time_unix_nano and self.root.end_time_unix_nano <= ended, "in the run's time")
        check(len({span.span_id for span in self.spans.values()}) == len(self.spans), "each has an id of its own")


def strict(value, key=""):
    """The JSON of OTLP is not all of protobuf's: ids are hexadecimal, and keys are in camel case."""
    if isinstance(value, dict):
        for name, inner in value.items():
            check("_" not in name, name)
            strict(inner, name)
    elif isinstance(value, list):
        for inner in value:
            strict(inner, key)
    elif key.endswith("Id") and value:
        check(len(bytes.fromhex(value)) == (16 if key == "traceId" else 8), f"{key}: {value}")
    elif key.endswith("UnixNano") or key == "intValue":
        check(isinstance(value, str), f"{key} is text")


def as_protobuf(body):
    """The same with ids in base 64, as protobuf's own JSON has bytes."""

    def base64_of(fields):
        for key in ("traceId", "spanId", "parentSpanId"):
            if key in fields:
                fields[key] = base64.b64encode(bytes.fromhex(fields[key])).decode()
        return fields

    return json.dumps(json.loads(body, object_hook=base64_of))


def attributes(of):
    return {one.key: one.value.string_value or one.value.int_value for one in of.attributes}


def newest(project):
    return max((project.root / "target/patronage").glob("*/run_results.json"), key=lambda file: file.stat().st_mtime).parent


def test_traces(project, _):
    listener = Listener()
    trace_id, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    for protocol in ["http/protobuf", "http/json"]:
        listener.heard.clear()
        shutil.rmtree(project.root / "target", ignore_errors=True)
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": listener.url + "/otlp",
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_HEADERS": "api-key=k3y%3D,other=1",
            "OTEL_RESOURCE_ATTRIBUTES": "service.namespace=shops,service.name=other",
            "OTEL_SERVICE_NAME": "nights",
        }
        started = time.time_ns()
        said = project.run(0, "--log-format", "json", **variables)
        trace, run = Trace(listener.heard), newest(project)
        trace.check(run.name, started, time.time_ns())
        check(trace.root.name == "nightly" and trace.root.trace_id.hex() == run.name.replace("-", ""), trace.root)
        check(not trace.root.parent_span_id and trace.root.status.code == Status.STATUS_CODE_UNSET, trace.root)
        check(trace.resource["service.name"] == "nights" and trace.resource["service.namespace"] == "shops", trace.resource)
        results = json.loads((run / "run_results.json").read_text())["results"]
        ran = {one["unique_id"] for one in results if not one["unique_id"].startswith("test.")}
        check(ran == set(trace.spans) - {"nightly"}, "each node that ran has a span")
        rows = attributes(trace.spans["source.transactions"])["patronage.rows.table"]
        check(rows > 0 and all(path == "/otlp/v1/traces" for path, _, _ in listener.heard), listener.heard[0][0])
        check(all(headers["api-key"] == "k3y=" and headers["other"] == "1" for _, headers, _ in listener.heard), "headers")
        check("k3y" not in said, "no header is in the log")
        for line in said.splitlines():
            if not line.startswith("{"):
                continue
            names = [name for name, _ in json.loads(line, object_pairs_hook=list)]
            check(len(names) == len(set(names)), f"a name comes twice: {line}")
            line = json.loads(line)
            span = trace.spans.get(line.get("node"), trace.root)
            told = (line["run_id"], line["trace_id"], line["span_id"])
            check(told == (run.name, trace.root.trace_id.hex(), span.span_id.hex()), line)
    listener.heard.clear()
    started = time.time_ns()
    variables = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": listener.url, "TRACEPARENT": f"00-{trace_id}-{parent}-01", "TRACESTATE": "v=1"}
    project.run(66, "--run-date", "2030-01-01", **variables)
    trace = Trace(listener.heard)
    trace.check(newest(project).name, started, time.time_ns())
    check(trace.root.trace_id.hex() == trace_id and trace.root.parent_span_id.hex() == parent, "below what started it")
    check(trace.root.trace_state == "v=1" and trace.root.flags & 0x300 == 0x300, trace.root)
    failed = [span for span in trace.spans.values() if span.status.code == Status.STATUS_CODE_ERROR]
    check(trace.root in failed and len(failed) > 1, "who failed says so")
    check(all(attributes(span)["error.type"] for span in failed if span is not trace.root), "by a code")
    check({event.name for event in trace.root.events} >= {"blocked"}, "who could not run is told of")
    check(listener.heard[0][0] == "/" and trace.resource["service.name"] == "patronage", trace.resource)
    stopped(project, listener)
    said = project.run(66, "--run-date", "2030-01-01", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    check(said.count("failed to send traces to 127.0.0.1: no connection") == 1, said)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        said = project.run(66, "--run-date", "2030-01-01", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}")
        took = time.monotonic() - started
    check(took < 12 and said.count("failed to send") == 1, f"{took} s: {said}")


def stopped(project, listener):
    """A run that is stopped ends its spans, and says that it did not do what it should. All that it logs is of the run."""
    listener.heard.clear()
    started = time.time_ns()
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": listener.url}
    command = [project.program, "run", "pipelines/nightly.yaml", "--full-refresh", "--log-format", "json"]
    run = subprocess.Popen(command, cwd=project.root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not listener.heard and run.poll() is None:
        time.sleep(0.01)
    run.terminate()
    said = [json.loads(line) for line in run.communicate()[1].splitlines()]
    check(run.returncode == 143, f"it was stopped: {run.returncode}")
    check(any(line["message"].startswith("stopping") for line in said), said)
    check(all(line["run_id"] == newest(project).name for line in said), said)
    trace = Trace(listener.heard)
    trace.check(newest(project).name, started, time.time_ns())
    root = trace.root
    check(root.status.code == Status.STATUS_CODE_ERROR and attributes(root)["patronage.outcome"] == "interrupted", root)


def main():
    tests = {name[5:]: test for name, test in globals().items() if name.startswith("test_")}
    for name in sys.argv[2:] or tests:
        with tempfile.TemporaryDirectory() as scratch:
            print(f"=== {name}")
            tests[name](Project(sys.argv[1], scratch), Path(scratch))
    print("ok")


if __name__ == "__main__":
    main()
