//! How long a component takes to be admitted, as a ratio to writing the same component down as JSON once.
//!
//! Every component is admitted on its way to the store, and one core admits for all callers. So besides the ratio this prints
//! how many a second that is.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use isthmus_admission::{Facts, admit};
use isthmus_dialects::{Options, read};
use isthmus_model::component::Draft;
use isthmus_model::name::Digest;

/// Rounds of which the fastest counts: the others shared the core with somebody.
const ROUNDS: usize = 10;
const EACH: usize = 5_000;

/// As many digests as there are; asking for one costs what a lookup costs.
struct Stored(std::collections::BTreeSet<Digest>);

impl Facts for Stored {
    fn stores(&self, package: &Digest) -> bool {
        self.0.contains(package)
    }

    fn file(&self, _: &Digest) -> String {
        String::new()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let stored = Stored((0..=255).map(|byte| Digest([byte; 32])).collect());
    println!("{:<10} {:>12} {:>12} {:>8} {:>12}", "draft", "admit", "as JSON", "ratio", "a second");
    for (name, draft) in [("usual", draft("")?), ("with a pod", draft(POD)?)] {
        let component = admit(draft.clone(), &stored)?;
        // A draft is used up, so each of a round gets its own before the clock starts.
        let admitting =
            fastest(|| vec![draft.clone(); EACH], |draft| black_box(admit(draft, &stored)).is_ok());
        let writing = fastest(|| vec![(); EACH], |()| black_box(serde_json::to_vec(&component)).is_ok());
        let ratio = admitting.as_secs_f64() / writing.as_secs_f64();
        let rate = 1.0 / admitting.as_secs_f64();
        println!("{name:<10} {admitting:>12.2?} {writing:>12.2?} {ratio:>8.2} {rate:>12.0}");
    }
    Ok(())
}

/// The time for one, in the fastest round.
fn fastest<T>(inputs: impl Fn() -> Vec<T>, work: impl Fn(T) -> bool) -> Duration {
    let round = |_| {
        let inputs = inputs();
        let began = Instant::now();
        for input in inputs {
            assert!(work(input), "what is measured must succeed");
        }
        began.elapsed() / u32::try_from(EACH).unwrap_or(u32::MAX)
    };
    (0..ROUNDS).map(round).min().unwrap_or_default()
}

/// A function as teams have them, of some 900 bytes, with this below its spec.
fn draft(more: &str) -> Result<Draft, Box<dyn std::error::Error>> {
    let digest = Digest([7; 32]);
    let text = format!(
        "
apiVersion: isthmus.io/v1
kind: Function
metadata:
  tenant: payments
  namespace: fraud
  name: score-transactions-eu
  labels: {{team: fraud-detection, tier: gold, cost-centre: cc-4711}}
  annotations: {{example.com/contact: fraud-oncall@example.com, example.com/runbook: 'https://runbooks.example.com/score'}}
placement:
  mode: Replicated
  clusters:
  - {{key: region, operator: In, values: [eu-west, eu-central]}}
  - {{key: gpu, operator: DoesNotExist}}
  spread:
  - {{key: region, minGroups: 2}}
spec:
  className: com.example.payments.fraud.ScoreTransactions
  runtime: {{type: java, package: {{file: score.jar, location: 'sha256:{digest}'}}, javaOpts: [-XX:+UseZGC, -Dfile.encoding=UTF-8]}}
  replicas: 4
  maxReplicas: 12
  input:
    topics:
      'persistent://payments/fraud/transactions-eu': {{schemaType: avro, receiverQueueSize: 500}}
      'persistent://payments/fraud/chargebacks-eu': {{schemaType: avro}}
    subscriptionName: score-transactions
  output: {{topic: 'persistent://payments/fraud/scores-eu', schemaType: avro, producer: {{maxPendingMessages: 1000, batchBuilder: KEY_BASED}}}}
  userConfig: {{threshold: 0.83, model: gradient-boosting-2024-06, features: [amount, country, merchant, age]}}
  secrets: {{api-key: {{path: fraud-api, key: token}}}}
  retry: {{maxMessageRetries: 5, deadLetterTopic: 'persistent://payments/fraud/scores-dlq'}}
  resources: {{requests: {{cpuMillis: 500, memoryBytes: 1073741824}}, limits: {{cpuMillis: 1000, memoryBytes: 2147483648}}}}
{more}"
    );
    let mut drafts =
        read(text.as_bytes(), &Options::default()).map_err(|problems| format!("{problems:?}"))?.drafts;
    let first = drafts.pop().ok_or("a draft")?;
    Ok(first.into_draft().map_err(|problems| format!("{problems:?}"))?)
}

/// What only Kubernetes understands.
const POD: &str = "
  kubernetes:
    imagePullPolicy: IfNotPresent
    volumeMounts: [{name: models, mountPath: /models}]
    pod:
      labels: {team: fraud-detection}
      nodeSelector: {disk: ssd}
      tolerations: [{key: dedicated, operator: Equal, value: fraud, effect: NoSchedule}]
      env: [{name: REGION, value: eu}]
      volumes: [{name: models, configMap: {name: models}}]
      sidecars:
      - {name: proxy, image: 'envoy:1.30', ports: [{containerPort: 9901}], resources: {requests: {cpu: 100m, memory: 64Mi}}}
";
