"""Alerts about AI workloads and agents."""

from datetime import date

from shared.domain.incident import AlertRow
from shared.domain.remediation import Severity, Source

_SOURCE = Source("https://learn.microsoft.com/azure/defender-for-cloud/alerts-ai-workloads", date(2026, 11, 23))

ROWS: tuple[AlertRow, ...] = (
    AlertRow(
        types=("AI.Azure_CredentialTheftAttempt",),
        title="Credentials appeared in a model's answer",
        severity=Severity.MEDIUM,
        reason="The secret is one that the model could read, seldom the account's own key: stricter filters hinder the "
        "next leak, keys wait until someone has seen that they are meant.",
        advice="Find out which secret it is and where the model read it, revoke it, take it out of the data, and "
        "report it as an exposed key if it opens an AI account.",
        atlas=("AML.T0057", "AML.T0055", "AML.T0082"),
        source=_SOURCE,
        respond=("tag-incident",),
        contain=("harden-content-filters",),
        respond_on_approval=("rotate-exposed-keys",),
        contain_on_approval=("disable-local-authentication",),
    ),
    AlertRow(
        types=("AI.Azure_Jailbreak.ContentFiltering.BlockedAttempt",),
        title="A jailbreak was tried and stopped",
        severity=Severity.MEDIUM,
        reason="The filter did its work; if blocked attempts changed anything, anyone who can send prompts could drive "
        "the automation.",
        advice="Look at the caller if attempts come in series; a single user can be shut out in the application.",
        atlas=("AML.T0054", "AML.T0051.000"),
        source=_SOURCE,
        blocked=True,
    ),
    AlertRow(
        types=("AI.Azure_Jailbreak.ContentFiltering.DetectedAttempt",),
        title="A jailbreak was seen and not stopped",
        severity=Severity.MEDIUM,
        reason="The filter noticed the attempt and let it through; making it block is aimed at the attack alone and "
        "can be undone, and where it blocks already nothing changes.",
        advice="Read the conversation, judge what the model gave away, and approve a cap or a pause if attempts go on.",
        atlas=("AML.T0054", "AML.T0051.000"),
        source=_SOURCE,
        respond=("tag-incident",),
        contain=("harden-content-filters",),
        respond_on_approval=("cap-deployments", "pause-deployments"),
    ),
    AlertRow(
        types=("AI.Azure_ASCIISmuggling",),
        title="Instructions in invisible characters reached a model",
        severity=Severity.HIGH,
        reason="Such text arrives with data, and the shield against that is off until someone turns it on; making it "
        "block can be undone.",
        advice="Find the document or page that carries the hidden text and clean it; approve a pause if the model goes "
        "on reading it.",
        atlas=("AML.T0051.001", "AML.T0068"),
        source=_SOURCE,
        respond=("tag-incident",),
        contain=("harden-content-filters",),
        respond_on_approval=("pause-deployments",),
    ),
    AlertRow(
        types=("AI.Azure_MaliciousUrl.ModelResponse",),
        title="A model gave its users a phishing link",
        severity=Severity.HIGH,
        reason="Users are being led to a phishing page, but a pause is an outage: it waits for approval unless the "
        "resource's tag allows containment.",
        advice="Find where the link comes from (index, training data, tool), clean it, and warn those who saw the "
        "answer.",
        atlas=("AML.T0052", "AML.T0070", "AML.T0020"),
        source=_SOURCE,
        respond=("tag-incident",),
        respond_on_approval=("cap-deployments", "pause-deployments"),
        auto_when_tagged=("pause-deployments",),
    ),
    AlertRow(
        types=("AI.Azure_MaliciousUrl.UnknownSource",),
        title="A phishing link of unknown origin in a conversation",
        severity=Severity.HIGH,
        reason="As long as nobody knows which side brought the link, nothing that users would notice is done without a "
        "person.",
        advice="Trace the link to the user, the data or the model; approve a cap on the deployments meanwhile.",
        atlas=("AML.T0052",),
        source=_SOURCE,
        respond=("tag-incident",),
        respond_on_approval=("cap-deployments",),
    ),
    AlertRow(
        types=("AI.Azure_MaliciousUrl.UserPrompt",),
        title="A user sent a phishing link to a model",
        severity=Severity.HIGH,
        reason="A link in a prompt can settle in memory or indexed data and come back to others; stricter filters make "
        "that harder and can be undone.",
        advice="Check what the application keeps of prompts, and deal with the user there: the account is the "
        "application's, not Azure's.",
        atlas=("AML.T0052", "AML.T0093"),
        source=_SOURCE,
        respond=("tag-incident",),
        contain=("harden-content-filters",),
    ),
    AlertRow(
        types=("AI.Azure_AccessFromSuspiciousUserAgent",),
        title="A client known from attacks called the account",
        severity=Severity.MEDIUM,
        reason="A user agent is a text that anyone can set: reason enough to mark the account and look, not to break "
        "its clients.",
        advice="See whether a key or a token was used and from where; approve new keys or a closed network if nobody "
        "knows the client.",
        atlas=("AML.T0012", "AML.T0040"),
        source=_SOURCE,
        respond=("tag-incident",),
        respond_on_approval=("rotate-exposed-keys",),
        contain_on_approval=("disable-public-network-access",),
    ),
    AlertRow(
        types=("AI.Azure_AccessFromAnonymizedIP",),
        title="The account was called through Tor",
        severity=Severity.HIGH,
        reason="A call through Tor that succeeds means a credential in the wrong hands; closing the public path stops "
        "it at once, unless a guard finds that clients would be cut off.",
        advice="If a key was used, approve new keys or an end to keys; if an identity signed in, disable it, which "
        "Airlock does not do.",
        atlas=("AML.T0012", "AML.T0040"),
        source=_SOURCE,
        respond=("tag-incident",),
        contain=("disable-public-network-access", "restrict-network-rules"),
        respond_on_approval=("rotate-exposed-keys",),
        contain_on_approval=("disable-local-authentication",),
        auto_when_tagged=("rotate-exposed-keys",),
    ),
    AlertRow(
        types=("AI.Azure_AccessFromSuspiciousIP",),
        title="The account was called from an address known for attacks",
        severity=Severity.HIGH,
        reason="The call succeeded, so a credential is in the wrong hands; closing the public path stops it at once, "
        "unless a guard finds that clients would be cut off.",
        advice="Rule out a shared proxy or VPN exit; then approve new keys or an end to keys, or disable the identity "
        "that called.",
        atlas=("AML.T0012", "AML.T0040"),
        source=_SOURCE,
        respond=("tag-incident",),
        contain=("disable-public-network-access", "restrict-network-rules"),
        respond_on_approval=("rotate-exposed-keys",),
        contain_on_approval=("disable-local-authentication",),
        auto_when_tagged=("rotate-exposed-keys",),
    ),
    AlertRow(
        types=("AI.Azure_DOWDuplicateRequests",),
        title="The same requests over and over run up the bill",
        severity=Severity.MEDIUM,
        reason="A client that retries without end looks like an attack on the bill, and a cap slows down every caller, "
        "so a person decides.",
        advice="Find the caller; approve a cap, new keys if it is a stranger, or a pause if spending has to stop now.",
        atlas=("AML.T0034.000", "AML.T0029"),
        source=_SOURCE,
        respond=("tag-incident",),
        respond_on_approval=("rotate-exposed-keys", "cap-deployments", "pause-deployments"),
    ),
    AlertRow(
        types=("AI.Azure_DOWVolumeAnomaly",),
        title="Far more requests than usual run up the bill",
        severity=Severity.MEDIUM,
        reason="The first day of a new product looks like an attack on the bill, and a cap slows down every caller, so "
        "a person decides.",
        advice="Compare with what the owner expects; approve a cap, new keys if a stranger calls, or a pause if "
        "spending has to stop now.",
        atlas=("AML.T0034", "AML.T0029"),
        source=_SOURCE,
        respond=("tag-incident",),
        respond_on_approval=("rotate-exposed-keys", "cap-deployments", "pause-deployments"),
    ),
    AlertRow(
        types=("AI.Azure_AccessAnomaly",),
        title="The account was called in a way that is new for it",
        severity=Severity.MEDIUM,
        reason="Any honest change of a client can raise this, so nothing is done without a person.",
        advice="Ask the owner about the caller; approve new keys or a closed network if nobody knows it.",
        atlas=("AML.T0012",),
        source=_SOURCE,
        respond_on_approval=("rotate-exposed-keys",),
        contain_on_approval=("disable-public-network-access",),
    ),
    AlertRow(
        types=("AI.Azure_AnomalousOperation.InitialAccess",),
        title="A service principal managed an AI resource in a risky way",
        severity=Severity.MEDIUM,
        reason="The principal used roles that it was given; only a person can tell an intruder from a new pipeline.",
        advice="Approve new keys if it listed keys, and take away its roles if nobody answers for it, unless it is "
        "Airlock's own identity.",
        atlas=("AML.T0012", "AML.T0075"),
        source=_SOURCE,
        respond_on_approval=("rotate-exposed-keys",),
    ),
    AlertRow(
        types=("AI.Azure_SensitiveDataAnomaly",),
        title="Unusual amounts of sensitive data passed through a model",
        severity=Severity.MEDIUM,
        reason="Whether privacy was breached is for people to judge, and a slower service does not undo it.",
        advice="Bring in those who handle privacy incidents; approve a cap or a pause while they look.",
        atlas=("AML.T0057", "AML.T0085"),
        source=_SOURCE,
        respond_on_approval=("cap-deployments", "pause-deployments"),
    ),
    AlertRow(
        types=("AI.Azure_AnomalousToolInvocation",),
        title="A tool was called in an unusual way",
        severity=Severity.LOW,
        reason="The signal is weak, so only the filters get stricter, which can be undone.",
        advice="See what the tool did, take roles that it does not need away from the agent's identity, and approve a "
        "pause if the calls go on.",
        atlas=("AML.T0053", "AML.T0086"),
        source=_SOURCE,
        contain=("harden-content-filters",),
        respond_on_approval=("pause-deployments",),
    ),
    AlertRow(
        types=("AI.Azure_LLMReconnaissance",),
        title="Someone is sounding out a model",
        severity=Severity.LOW,
        reason="Questions alone do no harm, and a reaction would show their author what is watched.",
        advice="Keep an eye on the caller: a jailbreak or an odd tool call may come next.",
        atlas=("AML.T0069", "AML.T0013"),
        source=_SOURCE,
    ),
    AlertRow(
        types=("AI.Azure_Agentic_Jailbreak",),
        title="A jailbreak of an agent was seen and not stopped",
        severity=Severity.MEDIUM,
        reason="Making the filters of its model block is aimed at the attack alone and can be undone.",
        advice="Check the guardrail of the agent itself, which may be another one, and what its tools did; approve a "
        "pause if attempts go on.",
        atlas=("AML.T0054", "AML.T0051"),
        source=_SOURCE,
        respond=("tag-incident",),
        contain=("harden-content-filters",),
        respond_on_approval=("pause-deployments",),
    ),
    AlertRow(
        types=(
            "AI.Azure_Agentic_BlockedJailbreak",
            "Azure_Agentic_BlockedJailbreak",  # as the documentation prints it
        ),
        title="A jailbreak of an agent was tried and stopped",
        severity=Severity.MEDIUM,
        reason="The guardrail did its work; if blocked attempts changed anything, anyone who can talk to the agent "
        "could drive the automation.",
        advice="Look at the caller if attempts come in series.",
        atlas=("AML.T0054",),
        source=_SOURCE,
        blocked=True,
    ),
    AlertRow(
        types=("AI.Azure_Agentic_ASCIISmuggling",),
        title="Instructions in invisible characters reached an agent",
        severity=Severity.HIGH,
        reason="Such text arrives with data, and an agent may act on it; making the shield against that block can be "
        "undone.",
        advice="Find the data that carries the hidden text and clean it, and see what the agent did since; approve a "
        "pause if it goes on.",
        atlas=("AML.T0051.001",),
        source=_SOURCE,
        respond=("tag-incident",),
        contain=("harden-content-filters",),
        respond_on_approval=("pause-deployments",),
    ),
    AlertRow(
        types=("AI.Azure_Agentic_MaliciousUrl.UserPrompt",),
        title="A user sent a phishing link to an agent",
        severity=Severity.HIGH,
        reason="What an agent does with a link depends on its tools and its memory, and no setting of the account "
        "settles that: the account is marked for a person.",
        advice="See whether the agent opened or kept the link, and deal with the user in the application.",
        atlas=("AML.T0052",),
        source=_SOURCE,
        respond=("tag-incident",),
    ),
    AlertRow(
        types=("AI.Azure_Agentic_MaliciousUrl.ModelResponse",),
        title="An agent gave its users a phishing link",
        severity=Severity.HIGH,
        reason="Users are being led to a phishing page, but a pause stops everyone who works with the model, so a "
        "person decides.",
        advice="Find where the link comes from (tool, memory, data), clean it, warn those who saw the answer, and "
        "approve a pause if it goes on.",
        atlas=("AML.T0052",),
        source=_SOURCE,
        respond=("tag-incident",),
        respond_on_approval=("pause-deployments",),
    ),
    AlertRow(
        types=("AI.Azure_Agentic_MaliciousUrl.ToolOutput",),
        title="A tool handed an agent a phishing link",
        severity=Severity.HIGH,
        reason="The tool or what it reads is poisoned; filters that block make it harder for its text to steer the "
        "agent, and can be undone.",
        advice="Disable or delete the connection to the tool, which Airlock does not do, and find out who changed what "
        "it returns.",
        atlas=("AML.T0099", "AML.T0110"),
        source=_SOURCE,
        respond=("tag-incident",),
        contain=("harden-content-filters",),
    ),
    AlertRow(
        types=("AI.Azure_Agentic_AccessFromSuspiciousIP",),
        title="An agent was called from an address known for attacks",
        severity=Severity.HIGH,
        reason="The call succeeded, so a credential is in the wrong hands; closing the public path stops it at once, "
        "unless a guard finds that clients would be cut off.",
        advice="Rule out a shared proxy or VPN exit, then disable the identity that called and see what the agent did "
        "for it.",
        atlas=("AML.T0012",),
        source=_SOURCE,
        respond=("tag-incident",),
        contain=("disable-public-network-access", "restrict-network-rules"),
    ),
    AlertRow(
        types=("AI.Azure_Agentic_AccessFromAnonymizedIP",),
        title="An agent was called through Tor",
        severity=Severity.HIGH,
        reason="A call through Tor that succeeds means a credential in the wrong hands; closing the public path stops "
        "it at once, unless a guard finds that clients would be cut off.",
        advice="Disable the identity that called, and see what the agent did for it.",
        atlas=("AML.T0012",),
        source=_SOURCE,
        respond=("tag-incident",),
        contain=("disable-public-network-access", "restrict-network-rules"),
    ),
    AlertRow(
        types=("AI.Azure_Agentic_AccessFromSuspiciousUserAgent",),
        title="A client known from attacks called an agent",
        severity=Severity.MEDIUM,
        reason="A user agent is a text that anyone can set, so alone it is too weak to act on.",
        advice="See which identity called and from where, and what the agent did for it.",
        atlas=("AML.T0040",),
        source=_SOURCE,
    ),
    AlertRow(
        types=("AI.Azure_Agentic_DOWVolumeAnomaly",),
        title="Far more requests than usual to an agent run up the bill",
        severity=Severity.MEDIUM,
        reason="An agent caught in a loop looks like an attack on the bill, and a cap slows down every caller, so a "
        "person decides.",
        advice="Find out who or what drives the agent; approve a cap if it is not expected.",
        atlas=("AML.T0034.002",),
        source=_SOURCE,
        respond=("tag-incident",),
        respond_on_approval=("cap-deployments",),
    ),
    AlertRow(
        types=("AI.Azure_Agentic_InstructionLeakage",),
        title="An agent gave away its instructions",
        severity=Severity.LOW,
        reason="What was said stays said, and the harm is small as long as the instructions hold no secrets, so a "
        "person decides on stricter filters.",
        advice="Read the instructions as their finder would: take out names, addresses and secrets, renew the secrets, "
        "and approve stricter filters.",
        atlas=("AML.T0056",),
        source=_SOURCE,
        contain_on_approval=("harden-content-filters",),
    ),
    AlertRow(
        types=(
            "AI.Azure_Agentic_LLMReconaissance",  # as Defender spells it
            "AI.Azure_Agentic_LLMReconnaissance",
        ),
        title="Someone is sounding out an agent",
        severity=Severity.LOW,
        reason="Questions alone do no harm, and a reaction would show their author what is watched.",
        advice="Keep an eye on the caller, and see that the agent has no more tools and roles than it needs.",
        atlas=("AML.T0084",),
        source=_SOURCE,
    ),
    AlertRow(
        types=("AI.AIModelScan_MalwareDetected",),
        title="Malware was found in a model",
        severity=Severity.HIGH,
        reason="The model's source is what has to be judged, and taking away a deployment is an outage: the resource "
        "is marked, the rest is for people.",
        advice="Keep the model from being promoted, delete deployments that serve it, and find out where it came from.",
        atlas=("AML.T0018.002", "AML.T0011.000"),
        source=_SOURCE,
        respond=("tag-incident",),
    ),
    AlertRow(
        types=("AI.*", "Azure_Agentic_*"),
        title="An AI alert of a kind that Airlock does not know",
        severity=Severity.MEDIUM,
        reason="Nobody has judged yet what is right for this kind of alert, so nothing is done without a person.",
        advice="Read the alert in Defender, decide by hand, and add a row for its type.",
        atlas=(),
        source=_SOURCE,
    ),
)
