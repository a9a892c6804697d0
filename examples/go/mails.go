// Sends mails: workgate work --queue mails --stdio "go run examples/go/mails.go"
//
// The protocol is one JSON object a line each way; docs/worker-stdio.md describes it.
package main

import (
	"bufio"
	"encoding/json"
	"os"
)

type job struct {
	Type          string `json:"type"`
	Run           uint64 `json:"run"`
	Payload       string `json:"payload"`
	PayloadBase64 []byte `json:"payload_base64"`
}

type message map[string]any

// send gives the end of one job, without its run.
func send(job job) message {
	payload := []byte(job.Payload)
	if job.PayloadBase64 != nil {
		payload = job.PayloadBase64
	}
	var mail struct {
		To        string `json:"to"`
		Throttled bool   `json:"throttled"`
	}
	if err := json.Unmarshal(payload, &mail); err != nil {
		return message{"type": "retry", "error": err.Error(), "kind": "json"}
	}
	if mail.To == "" {
		return message{"type": "dead", "error": "the mail has no address", "kind": "payload"}
	}
	if mail.Throttled {
		// The provider asked for a pause: that is no fault of the mail.
		return message{"type": "release", "delay": "6s"}
	}
	return message{"type": "done", "result": "sent to " + mail.To}
}

func main() {
	out := json.NewEncoder(os.Stdout)
	out.Encode(message{"type": "ready", "protocol": 1})
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var job job
		if json.Unmarshal(line, &job) != nil || job.Type != "job" {
			continue
		}
		end := send(job)
		end["run"] = job.Run
		out.Encode(end)
	}
}
