"""Asks a Prometheus for what each panel of a dashboard shows, and for the health of its rules."""
import json
import sys
import urllib.parse
import urllib.request

server, dashboard = sys.argv[1:]

# What nothing has happened for, or isn't configured: these may be empty. All else must show something.
EMPTY = {
    "Recipients refused", "Sign-ins", "Not POSTed", "Breakers and pauses", "Dead letters by reason", "Store, failures",
}


def get(path, **query):
    with urllib.request.urlopen(server + path + "?" + urllib.parse.urlencode(query), timeout=10) as answer:
        return json.load(answer)["data"]


faults, shown, empty = [], 0, []
for panel in json.load(open(dashboard))["panels"]:
    results = []
    for target in panel.get("targets", []):
        expr = target["expr"].replace("$__rate_interval", "30s")
        for name in ("namespace", "job", "endpoint"):
            expr = expr.replace("$" + name, ".*")
        try:
            results += get("/api/v1/query", query=expr)["result"]
        except Exception as fault:
            faults.append(f"{panel['title']}: {expr}: {fault}")
    if panel["type"] == "row":
        continue
    shown += bool(results)
    if not results:
        empty.append(panel["title"])
    if not results and panel["title"] not in EMPTY:
        faults.append(f"{panel['title']} shows nothing")
rules = [rule for group in get("/api/v1/rules")["groups"] for rule in group["rules"]]
faults += [f"{rule['name']}: {rule.get('lastError')}" for rule in rules if rule["health"] != "ok"]
faults += [f"{alert['labels']['alertname']} fires" for alert in get("/api/v1/alerts")["alerts"] if alert["state"] == "firing"]
if not rules:
    faults.append("no rule was loaded")
print(f"{shown} panels show something, empty: {', '.join(empty) or 'none'}; {len(rules)} rules evaluate")
sys.exit("\n".join(faults) or 0)
