"""The manifests of examples/kubernetes: by the schemas of Kubernetes, by each other, and by the programs that they start.

WORKGATE is the worker's program, REDIS_URL a server with the module that asks for no password.
"""

import glob
import os
import re
import socket
import stat
import subprocess
import tempfile
import time
import unittest
import urllib.request

import kubernetes_validate
import yaml

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")
FOLDER = os.path.join(ROOT, "examples/kubernetes")
# The oldest that is still served anywhere, and the newest that the validator knows.
VERSIONS = ["1.27", kubernetes_validate.latest_version()]


def manifests(*paths):
    found = []
    for path in paths or sorted(glob.glob(os.path.join(FOLDER, "*.yaml"))):
        with open(os.path.join(ROOT, path)) as file:
            found += list(yaml.safe_load_all(file))
    return found


def named(kind, name, among=None):
    return next(m for m in among or manifests() if (m["kind"], m["metadata"]["name"]) == (kind, name))


def pods():
    """Every workload with its pod's spec."""
    return [(m, m["spec"]["template"]["spec"]) for m in manifests() if m["kind"] in ("Deployment", "StatefulSet")]


def containers():
    return [c for _, pod in pods() for c in pod.get("initContainers", []) + pod["containers"]]


def environment(container):
    """What the kubelet makes of `env`: secrets are read, and $(NAME) stands for what was set before."""
    values = {}
    for variable in container.get("env", []):
        if "valueFrom" in variable:
            secret = variable["valueFrom"]["secretKeyRef"]
            value = named("Secret", secret["name"])["stringData"][secret["key"]]
        else:
            value = re.sub(r"\$\((\w+)\)", lambda name: values[name.group(1)], variable["value"])
        values[variable["name"]] = value
    return values


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


class Manifests(unittest.TestCase):
    def test_kubernetes_knows_every_field(self):
        self.assertGreaterEqual(len(manifests()), 8)
        for manifest in manifests():
            for version in VERSIONS:
                kubernetes_validate.validate(manifest, version, strict=True)

    def test_a_field_that_kubernetes_does_not_know_is_found(self):
        manifest = named("Deployment", "mails-worker")
        manifest["spec"]["template"]["spec"]["containers"][0]["livenessProb"] = {}
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)

    def test_images_are_those_that_are_built(self):
        with open(os.path.join(ROOT, "scripts/build-images")) as file:
            targets = re.search(r"for target in ([a-z ]+); do", file.read()).group(1).split()
        for container in containers():
            repository, _, tag = container["image"].partition(":")
            if repository != "redis":
                self.assertIn(repository, [f"workgate/{target}" for target in targets])
                self.assertEqual(tag, "latest")

    def test_selectors_services_ports_and_volumes_meet(self):
        for workload, pod in pods():
            labels = workload["spec"]["template"]["metadata"]["labels"]
            self.assertEqual(workload["spec"]["selector"]["matchLabels"], labels)
            volumes = {v["name"] for v in pod.get("volumes", [])}
            volumes |= {v["metadata"]["name"] for v in workload["spec"].get("volumeClaimTemplates", [])}
            for container in pod.get("initContainers", []) + pod["containers"]:
                mounts = {mount["name"] for mount in container.get("volumeMounts", [])}
                self.assertLessEqual(mounts, volumes, container["name"])
                self.assertTrue(container["securityContext"]["allowPrivilegeEscalation"] is False)
        for service in (m for m in manifests() if m["kind"] == "Service"):
            selected = [pod for w, pod in pods() if w["spec"]["template"]["metadata"]["labels"] == service["spec"]["selector"]]
            self.assertTrue(selected, service["metadata"]["name"])
            for port in service["spec"]["ports"]:
                for pod in selected:
                    ports = {p["name"]: p["containerPort"] for c in pod["containers"] for p in c.get("ports", [])}
                    self.assertEqual(ports[port["targetPort"]], port["port"])

    def test_the_time_to_stop_is_longer_than_the_grace_of_the_worker(self):
        pod = named("Deployment", "mails-worker")["spec"]["template"]["spec"]
        self.assertGreater(pod["terminationGracePeriodSeconds"], 25 + 2)

    def test_keda_scales_the_deployment_by_the_service_that_there_are(self):
        keda = manifests("examples/keda.yaml")
        scaled = named("ScaledObject", "mails", keda)["spec"]
        named("Deployment", scaled["scaleTargetRef"]["name"])
        secret = named("Secret", named("TriggerAuthentication", "workgate", keda)["spec"]["secretTargetRef"][0]["name"])
        for parameter in named("TriggerAuthentication", "workgate", keda)["spec"]["secretTargetRef"]:
            self.assertIn(parameter["key"], secret["stringData"])
        for trigger in scaled["triggers"]:
            host, port = re.match(r"http://([^:/]+):(\d+)/metrics$", trigger["metadata"]["url"]).groups()
            self.assertEqual(named("Service", host)["spec"]["ports"][0]["port"], int(port))
            # The queue of the metric is that which the workers serve.
            self.assertIn('queue="mails"', trigger["metadata"]["valueLocation"])

    def test_the_servers_probe_is_a_program_of_the_image(self):
        server = named("StatefulSet", "workgate-server", manifests("examples/kubernetes/server.yaml"))
        container = server["spec"]["template"]["spec"]["containers"][0]
        for probe in "startupProbe", "readinessProbe", "livenessProbe":
            (program,) = container[probe]["exec"]["command"]
            self.assertTrue(os.access(os.path.join(ROOT, "docker", program), os.X_OK))
        with open(os.path.join(ROOT, "docker/Dockerfile")) as file:
            text = file.read()
        self.assertIn(f"docker/{program} /usr/local/bin/", text)
        pod = server["spec"]["template"]["spec"]
        self.assertIn(f"USER {pod['securityContext']['runAsUser']}:", text)


class Programs(unittest.TestCase):
    """Each container of the worker's image is started as its manifest says, and its probes are asked."""

    def start(self, deployment):
        pod = named("Deployment", deployment)["spec"]["template"]["spec"]
        container = pod["containers"][0]
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        mounts = {mount["name"]: mount["mountPath"] for mount in container.get("volumeMounts", [])}
        args = list(container["args"])
        for volume in pod.get("volumes", []):
            for name, text in named("ConfigMap", volume["configMap"]["name"])["data"].items():
                path = os.path.join(folder.name, name)
                with open(path, "w") as file:
                    file.write(text)
                os.chmod(path, volume["configMap"]["defaultMode"])
                args = [arg.replace(f"{mounts[volume['name']]}/{name}", path) for arg in args]
        port = free_port()
        own = environment(container)
        self.assertEqual(own["WORKGATE_REDIS"], "redis://:change-me@workgate-server:6379")
        own["WORKGATE_REDIS"] = os.environ["REDIS_URL"]
        # Of the image.
        own["WORKGATE_WORK_LISTEN"] = f"127.0.0.1:{port}"
        own["WORKGATE_HEALTH_AT"] = f"127.0.0.1:{port}"
        args = [arg.replace(":9464", f":{port}") for arg in args]
        self.own = {"PATH": os.environ["PATH"], **own}
        process = subprocess.Popen([os.environ["WORKGATE"], *args], env=self.own, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (process.terminate(), process.wait()))
        return container, port, process

    def answers(self, container, port, probe):
        probe = container[probe]
        if "exec" in probe:
            program, *args = probe["exec"]["command"]
            self.assertEqual(program, "workgate")
            return subprocess.run([os.environ["WORKGATE"], *args], env=self.own, capture_output=True).returncode == 0
        by_name = {p["name"]: p["containerPort"] for p in container["ports"]}
        self.assertEqual(by_name[probe["httpGet"]["port"]], 9464)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{probe['httpGet']['path']}") as answer:
                return answer.status == 200
        except OSError:
            return False

    def test_the_worker_and_the_dashboard_run_and_their_probes_answer(self):
        for deployment in "mails-worker", "workgate-dashboard":
            container, port, process = self.start(deployment)
            self.assertEqual(container["image"], "workgate/worker:latest")
            for probe in "livenessProbe", "readinessProbe":
                self.assertTrue(until(lambda: self.answers(container, port, probe)), (deployment, probe))
            self.assertIsNone(process.poll())

    def test_the_dashboard_asks_for_the_password_of_the_secret(self):
        _, port, _ = self.start("workgate-dashboard")
        secret = named("Secret", "workgate")["stringData"]

        def status(password):
            manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
            manager.add_password(None, f"http://127.0.0.1:{port}/", secret["username"], password)
            opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager))
            try:
                return opener.open(f"http://127.0.0.1:{port}/metrics").status
            except urllib.error.HTTPError as error:
                return error.code
            except OSError:
                return None

        self.assertTrue(until(lambda: status(secret["password"]) == 200))
        self.assertEqual(status("wrong"), 401)


if __name__ == "__main__":
    unittest.main()
