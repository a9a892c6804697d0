"""The pods of examples/kubernetes as containers: users, capabilities, limits, arguments and probes as the manifests say.

WORKGATE_TEST_TAG is the tag of the images.
"""

import base64
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../docs/python"))

from test_kubernetes import ROOT, environment, manifests, named

TAG = os.environ["WORKGATE_TEST_TAG"]
OWN = f"workgate-pods-{os.getpid()}"


def docker(*args, may_fail=False):
    run = subprocess.run(["docker", *args], capture_output=True, text=True)
    if run.returncode and not may_fail:
        raise AssertionError((args, run.stdout, run.stderr))
    return run.stdout.strip() if not may_fail else run


def pod(kind, name, file=None):
    among = manifests(f"examples/kubernetes/{file}") if file else None
    return named(kind, name, among)["spec"]["template"]["spec"]


class Pods(unittest.TestCase):
    def setUp(self):
        docker("network", "create", OWN)
        self.addCleanup(docker, "network", "rm", OWN, may_fail=True)
        self.folder = tempfile.mkdtemp()

    def start(self, spec, container, alias, *options, image=None):
        """Starts one container of a pod as the kubelet would; its name."""
        name = f"{OWN}-{alias}"
        user = spec["securityContext"]["runAsUser"]
        security = container["securityContext"]
        values = environment(container)
        words = ["run", "--detach", "--name", name, "--network", OWN, "--network-alias", alias, "--user", f"{user}:{user}"]
        words += ["--security-opt", "no-new-privileges"]
        words += [word for cap in security["capabilities"]["drop"] for word in ("--cap-drop", cap)]
        words += ["--read-only"] if security.get("readOnlyRootFilesystem") else []
        limit = container.get("resources", {}).get("limits", {}).get("memory")
        words += ["--memory", limit.replace("Gi", "g").replace("Mi", "m")] if limit else []
        words += [word for pair in values.items() for word in ("--env", "=".join(pair))]
        image = image or container["image"].replace(":latest", f":{TAG}")
        if "command" in container:
            program, *args = container["command"]
            words += [*options, "--entrypoint", program, image, *args]
        else:
            args = [re.sub(r"\$\((\w+)\)", lambda m: values[m.group(1)], arg) for arg in container["args"]]
            words += [*options, image, *args]
        docker(*words)
        self.addCleanup(docker, "rm", "--force", "--volumes", name, may_fail=True)
        return name

    def assert_probes(self, name, container):
        for kind in "startupProbe", "livenessProbe", "readinessProbe":
            if kind in container and "exec" in container[kind]:
                command = container[kind]["exec"]["command"]
                for _ in range(60):
                    if docker("exec", name, *command, may_fail=True).returncode == 0:
                        break
                    time.sleep(0.5)
                else:
                    self.fail(f"{name}: {kind}: {docker('logs', name, may_fail=True)}")

    def cli(self, server, *args):
        return docker("exec", server, "redis-cli", "-a", "change-me", "--no-auth-warning", *args)

    def test_a_job_goes_from_the_server_to_the_worker_and_the_dashboard_counts_it(self):
        spec = pod("StatefulSet", "workgate-server", "server.yaml")
        server = self.start(spec, spec["containers"][0], "workgate-server")
        self.assert_probes(server, spec["containers"][0])

        handler = os.path.join(self.folder, "handle-job")
        with open(handler, "w") as file:
            file.write(named("ConfigMap", "mails-handler")["data"]["handle-job"])
        os.chmod(self.folder, 0o755)
        os.chmod(handler, 0o755)
        spec = pod("Deployment", "mails-worker")
        mount = spec["containers"][0]["volumeMounts"][0]["mountPath"]
        worker = self.start(spec, spec["containers"][0], "mails-worker", "--volume", f"{self.folder}:{mount}:ro")
        self.assert_probes(worker, spec["containers"][0])
        self.cli(server, "JOBQ.PUSH", "mails", "Dear Ada", "ID", "m-1")
        self.assertEqual(self.cli(server, "JOBQ.RESULT", "mails", "m-1", "BLOCK", "20s"), "done\nDear Ada")

        spec = pod("Deployment", "workgate-dashboard")
        dashboard = self.start(spec, spec["containers"][0], "workgate", "--publish", "127.0.0.1:0:9464")
        at = "http://" + docker("port", dashboard, "9464/tcp").splitlines()[0]
        self.assertTrue(self.answer(at + spec["containers"][0]["readinessProbe"]["httpGet"]["path"]))
        metrics = self.answer(at + "/metrics", "workgate:change-me-too")
        self.assertIn('workgate_queue_jobs{queue="mails",state="done"} 1', metrics)

    def answer(self, url, user=None):
        request = urllib.request.Request(url)
        if user:
            request.add_header("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
        for _ in range(60):
            try:
                with urllib.request.urlopen(request) as answer:
                    return answer.read().decode()
            except OSError as error:
                last = error
                time.sleep(0.5)
        self.fail(f"{url}: {last}")

    def test_an_init_container_puts_the_module_into_a_server_of_ones_own(self):
        base = re.sub(r"^test-\d+-", "", TAG)
        if base not in ("redis-7.0", "redis-8"):
            self.skipTest("the manifest is for an image with redis-cli")
        script = os.path.join(ROOT, "scripts/docker-base")
        image = subprocess.run([script, base], capture_output=True, text=True, check=True).stdout.split()[-1]
        spec = pod("StatefulSet", "workgate-server", "server-of-your-own.yaml")
        os.chmod(self.folder, 0o777)
        volume = f"{self.folder}:/module"
        init = self.start(spec, spec["initContainers"][0], "init", "--volume", volume)
        self.assertEqual(docker("wait", init), "0")
        server = self.start(spec, spec["containers"][0], "own", "--volume", volume + ":ro", image=image)
        self.assert_probes(server, spec["containers"][0])
        self.assertEqual(self.cli(server, "JOBQ.PUSH", "q", "x", "ID", "a"), "a\nNEW")


if __name__ == "__main__":
    unittest.main()
