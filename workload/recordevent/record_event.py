"""record_event, the demo application of forkbench.

It is the kind of job that looks like one light INSERT and is not, because the code
behind it imports modules, compiles tables and generates code when it is first used.
A long-lived process does that once, a process that is forked for each job does it
for each job, and nobody notices.

Only the standard library is used, Python 3.9 and newer. Importing this module
is cheap and does none of that work; warm_record_event does it in advance.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:  # every fork would pay for what is imported here
    import re
    import sqlite3
    from collections.abc import Callable, Mapping
    from typing import Any

    Rules = list[tuple[str, str, re.Pattern[str]]]  # a literal to look for first, a name, the rule
    Routes = dict[str, list[tuple[str, re.Pattern[str]]]]  # by the first part of the path
    Validator = Callable[[Mapping[str, Any]], dict[str, Any]]

# ---------------------------------------------------------------------------
# Tables. The Go form of record_event reads them from this file too, so that each
# rule stands in one place: a name, an equals sign and triple quotes, then one
# rule on a line.

# Programs that name themselves as "Token" or "Token/1.2.3"; the first that fits
# wins, so the particular ones stand before those that they imitate.
AGENTS = """
Googlebot
bingbot = Bingbot
YandexBot
Baiduspider
DuckDuckBot
Applebot
AhrefsBot
SemrushBot
MJ12bot
DotBot
PetalBot
Bytespider
GPTBot
ClaudeBot
CCBot
facebookexternalhit = Facebook preview
Twitterbot
LinkedInBot
Slackbot
Discordbot
TelegramBot
WhatsApp
Pinterestbot
UptimeRobot
Pingdom
StatusCake
Datadog
NewRelicPinger
Prometheus
Nagios
check_http = Nagios
HeadlessChrome
PhantomJS
Lighthouse
python-requests
python-httpx
aiohttp
Python-urllib
Scrapy
redash-toolbelt
curl
Wget
HTTPie
okhttp
Apache-HttpClient
Java
Go-http-client
axios
node-fetch
undici
Ruby
Faraday
GuzzleHttp
PHP
libwww-perl
PostmanRuntime
Insomnia
k6
vegeta
Electron
Edg = Edge
EdgA = Edge Mobile
EdgiOS = Edge Mobile
Edge = Edge Legacy
OPR = Opera
OPT = Opera Touch
Opera Mini
Opera
Vivaldi
YaBrowser = Yandex Browser
SamsungBrowser = Samsung Internet
UCBrowser
MiuiBrowser
HuaweiBrowser
DuckDuckGo
Brave
Whale
Silk
QQBrowser
FxiOS = Firefox Mobile
Focus = Firefox Focus
Waterfox
PaleMoon
SeaMonkey
Firefox
CriOS = Chrome Mobile
Chromium
Chrome
Version = Safari
Trident = Internet Explorer
MSIE = Internet Explorer
"""

# Operating systems: a name and a regular expression.
SYSTEMS = r"""
Windows Phone = Windows Phone (?:OS )?(\d+)
Windows 11 = Windows NT 1[1-9]\.\d
Windows 10 = Windows NT 10\.\d
Windows 8 = Windows NT 6\.[23]
Windows 7 = Windows NT 6\.1
Windows Vista = Windows NT 6\.0
Windows XP = Windows NT 5\.[12]
Android = Android (\d+)(?:\.\d+)*
iPadOS = iPad; (?:U; )?CPU OS (\d+)_\d+
iOS = CPU (?:iPhone )?OS (\d+)_\d+
watchOS = Watch OS (\d+)\.\d
tvOS = Apple ?TV(?:OS)? (\d+)\.\d
macOS = Mac OS X (\d+)[._]\d+
ChromeOS = CrOS (?:x86_64|armv7l|aarch64) \d+
Tizen = Tizen (\d+)\.\d
webOS = [Ww]eb[O0]S(?:\.TV-| )\d+
KaiOS = KAIOS/(\d+)\.\d
HarmonyOS = HarmonyOS(?:;| \d)
Ubuntu = Ubuntu(?:/\d+\.\d+)?[;)/ ]
Fedora = Fedora(?:/\d+)?[;)/ ]
Debian = Debian(?:/\d+)?[;)/ ]
FreeBSD = FreeBSD (?:amd64|i386|arm64)
OpenBSD = OpenBSD (?:amd64|i386|arm64)
Linux = (?:X11; |; |\()Linux(?:; | )(?:x86_64|i686|aarch64|armv\dl)
"""

# Devices: a name and a regular expression.
DEVICES = r"""
iPhone = iPhone(?:\d+,\d+)?;
iPad = iPad(?:\d+,\d+)?;
Pixel = Pixel (?:\d+[a-z]?|C|XL)(?: Pro| Fold)?
Galaxy S = SM-[SG]9\d\d[A-Z0-9]{0,2}
Galaxy A = SM-A\d\d\d[A-Z0-9]{0,2}
Galaxy Tab = SM-[TX]\d\d\d[A-Z0-9]{0,2}
Nexus = Nexus (?:\d+X?|One|Player)
Redmi = Redmi (?:Note )?\d+[A-Z]?
Xiaomi = (?:Mi|MI) \d+[A-Z]?|; 2\d{7}[A-Z]{1,2}
OnePlus = ONEPLUS [A-Z]\d{4}|(?:CPH|IN|LE|NE)2\d\d\d
Motorola = moto [a-z](?:\(\d+\)| \d+| power)
Huawei = (?:ANE|ELE|VOG|JNY|LYA)-[AL][LNX]\d{1,2}
Sony = (?:XQ|SO)-[A-Z]{2}\d\d
Nokia = Nokia (?:\d\.\d|[A-Z]\d+)
LG = LM-[A-Z]\d{3}[A-Z]{0,2}
Kindle = KF[A-Z]{2,5} Build
Chromecast = CrKey/\d+\.\d+
PlayStation = PlayStation (?:\d|Vita|Portable)
Xbox = Xbox(?: One| Series [XS])?[;)]
Mac = Macintosh; (?:Intel|PPC) Mac OS X
PC = (?:Windows NT|X11; (?:Linux|CrOS|FreeBSD|OpenBSD|Ubuntu|Fedora))
"""

# Paths: the name of an endpoint and its rule, in the notation of Flask.
ROUTES = """
login /login
logout /logout
invite /invite/<token>
reset_password /reset/<token>
verify_email /verify/<token>
setup /setup
ping /ping
status /status.json
home /home
query_list /queries
query_new /queries/new
query_page /queries/<int:query_id>
query_source /queries/<int:query_id>/source
query_embed /embed/query/<int:query_id>/visualization/<int:visualization_id>
dashboard_list /dashboards
dashboard_page /dashboards/<int:dashboard_id>-<slug>
dashboard_short /dashboards/<int:dashboard_id>
dashboard_public /public/dashboards/<token>
alert_list /alerts
alert_page /alerts/<int:alert_id>
alert_edit /alerts/<int:alert_id>/edit
data_source_list /data_sources
data_source_page /data_sources/<int:data_source_id>
destination_list /destinations
destination_page /destinations/<int:destination_id>
group_list /groups
group_page /groups/<int:group_id>
group_sources /groups/<int:group_id>/data_sources
snippet_list /query_snippets
snippet_page /query_snippets/<int:snippet_id>
user_list /users
user_page /users/<int:user_id>
settings /settings/<path:section>
admin_status /admin/status
admin_jobs /admin/queries/jobs
admin_outdated /admin/queries/outdated
static /static/<path:filename>
api_session /api/session
api_events /api/events
api_config /api/config
api_queries /api/queries
api_query_search /api/queries/search
api_query_recent /api/queries/recent
api_query_my /api/queries/my
api_query_archive /api/queries/archive
api_query_favorites /api/queries/favorites
api_query_tags /api/queries/tags
api_query_format /api/queries/format
api_query /api/queries/<int:query_id>
api_query_refresh /api/queries/<int:query_id>/refresh
api_query_fork /api/queries/<int:query_id>/fork
api_query_favorite /api/queries/<int:query_id>/favorite
api_query_acl /api/queries/<int:query_id>/acl
api_query_key /api/queries/<int:query_id>/regenerate_api_key
api_query_dropdown /api/queries/<int:query_id>/dropdown
api_query_dropdowns /api/queries/<int:query_id>/dropdowns/<int:dropdown_id>
api_query_results /api/queries/<int:query_id>/results
api_query_file /api/queries/<int:query_id>/results.<filetype>
api_query_result /api/queries/<int:query_id>/results/<int:result_id>.<filetype>
api_query_job /api/queries/<int:query_id>/jobs/<job_id>
api_results /api/query_results
api_result /api/query_results/<int:result_id>
api_result_file /api/query_results/<int:result_id>.<filetype>
api_job /api/jobs/<job_id>
api_snippets /api/query_snippets
api_snippet /api/query_snippets/<int:snippet_id>
api_visualizations /api/visualizations
api_visualization /api/visualizations/<int:visualization_id>
api_widgets /api/widgets
api_widget /api/widgets/<int:widget_id>
api_dashboards /api/dashboards
api_dashboard_tags /api/dashboards/tags
api_dashboard_favorites /api/dashboards/favorites
api_dashboard /api/dashboards/<int:dashboard_id>
api_dashboard_fork /api/dashboards/<int:dashboard_id>/fork
api_dashboard_share /api/dashboards/<int:dashboard_id>/share
api_dashboard_favorite /api/dashboards/<int:dashboard_id>/favorite
api_dashboard_public /api/dashboards/public/<token>
api_alerts /api/alerts
api_alert /api/alerts/<int:alert_id>
api_alert_mute /api/alerts/<int:alert_id>/mute
api_alert_subscribers /api/alerts/<int:alert_id>/subscriptions
api_alert_subscriber /api/alerts/<int:alert_id>/subscriptions/<int:subscriber_id>
api_destinations /api/destinations
api_destination /api/destinations/<int:destination_id>
api_sources /api/data_sources
api_source_types /api/data_sources/types
api_source /api/data_sources/<int:data_source_id>
api_source_test /api/data_sources/<int:data_source_id>/test
api_source_pause /api/data_sources/<int:data_source_id>/pause
api_source_schema /api/data_sources/<int:data_source_id>/schema
api_groups /api/groups
api_group /api/groups/<int:group_id>
api_group_members /api/groups/<int:group_id>/members
api_group_member /api/groups/<int:group_id>/members/<int:user_id>
api_users /api/users
api_user /api/users/<int:user_id>
api_user_invite /api/users/<int:user_id>/invite
api_user_disable /api/users/<int:user_id>/disable
api_settings /api/settings/organization
"""

# Kinds of objects: what can be done to one, and what is said about it besides
# COMMON. A property is NAME:TYPE and may be left out of an event.
SCHEMA = """
query = view create edit fork archive favorite search execute : name:text source:integer tags:tags
query_result = view download expire : query:integer rows:integer runtime:decimal format:text
dashboard = view create edit fork archive favorite share : name:text widgets:integer tags:tags
widget = create edit delete : dashboard:integer width:integer options:text
visualization = view create edit delete : query:integer kind:text name:text
alert = view create edit delete mute trigger : name:text state:text query:integer value:decimal
subscription = create delete : alert:integer destination:integer
destination = view create edit delete test : name:text kind:text
data_source = view create edit delete test pause resume : name:text kind:text schema:boolean
schema = view refresh : source:integer tables:integer runtime:decimal
snippet = view create edit delete : trigger:text
group = view create edit delete add_member remove_member : name:text member:integer
user = view create edit invite disable login logout : email:mailbox groups:tags
api_key = create regenerate revoke : owner:mailbox
session = create expire : remember:boolean method:text
organization = view edit : name:text plan:text seats:integer
settings = view edit : section:text changed:tags
job = enqueue cancel finish fail : queue:text runtime:decimal result:uuid
report = send schedule : recipients:integer format:text every:integer
page = view : title:text
"""

# What an event says itself: what it must, what it may. Then what may be said
# about objects of all kinds.
REQUIRED = """
org_id:integer
timestamp:moment
"""

OPTIONAL = """
user_id:integer
object_id:key
"""

COMMON = """
user_agent:text
url:url
referrer:url
ip:address
user:mailbox
request_id:uuid
screen:text
"""

# ---------------------------------------------------------------------------
# record_event


class _Configuration:
    """What record_event makes when it is first used in a process."""

    def __init__(
        self, agents: Rules, systems: Rules, devices: Rules, routes: Routes, validators: dict[str, Validator]
    ) -> None:
        self.agents = agents
        self.systems = systems
        self.devices = devices
        self.routes = routes
        self.validators = validators


class _Store:
    """An open database and the process that opened it."""

    def __init__(self, pid: int, connection: sqlite3.Connection) -> None:
        self.pid = pid
        self.connection = connection


_configuration: _Configuration | None = None
_store: _Store | None = None
_inherited: list[_Store] = []


def record_event(raw_event: Mapping[str, Any] | None = None, /, **fields: Any) -> int:
    """Check an event and insert it into this process's database.

    The event is one mapping or the keyword arguments: action, object_type,
    object_id, org_id, user_id, timestamp (seconds since 1970), and
    additional_properties (user_agent, url, ip and others; see SCHEMA). Returns
    the number of the row. A wrong event raises ValueError that lists all that
    is wrong with it.
    """
    configuration = configure()
    row = make_row(configuration, raw_event if raw_event is not None else fields)
    return insert(row)


def warm_record_event() -> None:
    """Do in advance what the first record_event of a process would do.

    It opens no database: a connection must not be carried into a forked child.
    """
    configure()


def configure() -> _Configuration:
    """Import, compile and generate what record_event needs, once per process."""
    global _configuration
    if _configuration is None:
        _configuration = _Configuration(
            agents=compile_agents(),
            systems=compile_patterns(SYSTEMS),
            devices=compile_patterns(DEVICES),
            routes=compile_routes(),
            validators=compile_validators(),
        )
        import_drivers()
    return _configuration


def _lines(table: str) -> list[str]:
    return table.strip().splitlines()


def compile_agents() -> Rules:
    """Compile the rules that name a program and its version."""
    import re

    rules = []
    for line in _lines(AGENTS):
        token, _, name = line.partition(" = ")
        pattern = re.compile(re.escape(token) + r"(?:[/ ]v?(\d+(?:\.\d+){0,3}))?", re.ASCII)
        rules.append((token, name or token, pattern))
    return rules


def compile_patterns(table: str) -> Rules:
    """Compile a table of names and regular expressions."""
    import re

    rules = []
    for line in _lines(table):
        name, _, pattern = line.partition(" = ")
        rules.append(("", name, re.compile(pattern, re.ASCII)))
    return rules


def compile_routes() -> Routes:
    """Turn the routes into regular expressions, as a web framework does."""
    import re

    converters = {"int": r"\d+", "path": r".+", "": r"[^/]+"}
    routes: Routes = {}
    for line in _lines(ROUTES):
        endpoint, rule = line.split()
        pattern = ""
        for literal, converter, variable in re.findall(r"([^<]+)(?:<(?:(\w+):)?(\w+)>)?", rule):
            pattern += re.escape(literal)
            if variable:
                pattern += f"(?P<{variable}>{converters[converter]})"
        routes.setdefault(_first_part(rule), []).append((endpoint, re.compile(pattern, re.ASCII)))
    return routes


def _first_part(path: str) -> str:
    """Return what routes are looked up by: the static beginning of a path."""
    parts = path.split("/", 3)
    return parts[2] if len(parts) > 2 and parts[1] == "api" else parts[1]


def compile_validators() -> dict[str, Validator]:
    """Generate a validating function for each kind of object, as an ORM maps its classes."""
    from datetime import datetime, timezone
    from decimal import ROUND_HALF_UP, Decimal
    from email.utils import parseaddr
    from ipaddress import ip_address
    from urllib.parse import parse_qsl, urlencode, urlsplit
    from uuid import UUID

    def text(value: Any) -> str:
        if not isinstance(value, str) or len(value) > 2048:
            raise ValueError("must be text of at most 2048 characters")
        return value

    def integer(value: Any) -> int:
        if type(value) is not int or not -(2**63) <= value < 2**63:
            raise ValueError("must be an integer of 64 bits")
        return value

    def key(value: Any) -> str:
        return text(value) if isinstance(value, str) else str(integer(value))

    def boolean(value: Any) -> bool:
        if type(value) is not bool:
            raise ValueError("must be true or false")
        return value

    def decimal(value: Any) -> str:
        number = Decimal(text(value))
        if not number.is_finite() or not -20 <= number.adjusted() <= 20:
            raise ValueError("must be a decimal number, as text")
        return str(number.quantize(Decimal("0.001"), ROUND_HALF_UP))

    def tags(value: Any) -> list[str]:
        if not isinstance(value, list) or len(value) > 100:
            raise ValueError("must be a list of at most 100 texts")
        return sorted({text(tag).strip().lower() for tag in value})

    def address(value: Any) -> str:
        return ip_address(text(value)).compressed

    def url(value: Any) -> str:
        parts = urlsplit(text(value))
        if not parts.path.startswith("/"):
            raise ValueError("must be an absolute URL or path")
        if not parts.query:
            return parts.path
        query = [item for item in parse_qsl(parts.query) if item[0] != "api_key"]
        return parts.path + "?" + urlencode(query) if query else parts.path

    def mailbox(value: Any) -> str:
        name, found = parseaddr(text(value))
        if "@" not in found:
            raise ValueError("must be a mail address")
        return f"{name} <{found.lower()}>" if name else found.lower()

    def uuid(value: Any) -> str:
        return str(UUID(text(value)))

    def moment(value: Any) -> str:
        if type(value) not in (int, float) or not 0 <= value < 2**35:
            raise ValueError("must be in seconds since 1970")
        return datetime.fromtimestamp(value, timezone.utc).isoformat(timespec="milliseconds")

    def take(
        row: dict[str, Any],
        event: Mapping[str, Any],
        name: str,
        convert: Callable[[Any], Any],
        must: bool,
        problems: list[str],
    ) -> None:
        value = event.get(name)
        if must or value is not None:
            try:
                row[name] = convert(value)
            except (ValueError, ArithmeticError) as error:
                problems.append(f"{name}: {error}: {value!r:.100}")

    converters: dict[str, Any] = dict(locals())
    validators = {}
    for line in _lines(SCHEMA):
        kind, _, definition = line.partition(" = ")
        actions, _, properties = definition.partition(" : ")
        source = write_validator(kind, actions.split(), f"{COMMON} {properties}")
        namespace = dict(converters)
        exec(compile(source, f"<validator of {kind}>", "exec"), namespace)
        validators[kind] = namespace[f"validate_{kind}"]
    return validators


def write_validator(kind: str, actions: list[str], properties: str) -> str:
    """Write the function that checks events about one kind of object."""
    source = [
        f"def validate_{kind}(event):",
        "    problems = []",
        "    extra = event.get('additional_properties')",
        "    if not isinstance(extra, (dict, type(None))):",
        "        problems.append('additional_properties: must be an object')",
        "    extra = dict(extra) if isinstance(extra, dict) else {}",
        "    row = {'user_id': None, 'object_id': None, 'properties': extra}",
        f"    if event.get('action') not in {tuple(actions)!r}:",
        f"        problems.append('action: must be one of {', '.join(actions)}')",
    ]
    fields = [("row", "event", field) for field in REQUIRED.split() + OPTIONAL.split()]
    fields += [("extra", "extra", field) for field in properties.split()]
    required = REQUIRED.split()
    for to, where, field in fields:
        name, _, converter = field.partition(":")
        must = field in required
        source.append(f"    take({to}, {where}, {name!r}, {converter}, {must}, problems)")
    source += [
        "    if problems:",
        "        raise ValueError('; '.join(problems))",
        "    return row",
    ]
    return "\n".join(source)


def import_drivers() -> None:
    """Load what writes a row, without connecting."""
    import json  # noqa: F401
    import sqlite3  # noqa: F401


def make_row(configuration: _Configuration, event: Mapping[str, Any]) -> dict[str, Any]:
    """Check an event and turn it into the row to insert."""
    import json

    if not isinstance(event, dict):
        raise ValueError(f"an event must be an object, not {event!r:.100}")
    kind = event.get("object_type")
    validator = configuration.validators.get(kind) if isinstance(kind, str) else None
    if validator is None:
        raise ValueError(f"object_type: must be one of {', '.join(configuration.validators)}")
    row = validator(event)
    properties = row["properties"]
    agent = properties.get("user_agent", "")
    row["action"] = event["action"]
    row["object_type"] = kind
    row["agent"], row["version"] = classify(configuration.agents, agent)
    row["system"], _ = classify(configuration.systems, agent)
    row["device"], _ = classify(configuration.devices, agent)
    row["endpoint"] = find_route(configuration.routes, properties.get("url", ""))
    row["properties"] = json.dumps(properties)
    return row


def classify(rules: Rules, text: str) -> tuple[str | None, str | None]:
    """Return the name and the version of the first rule that matches somewhere in text."""
    for literal, name, pattern in rules:
        if literal in text:
            match = pattern.search(text)
            if match:
                return name, match[1] if match.lastindex else None
    return None, None


def find_route(routes: Routes, url: str) -> str | None:
    """Return the endpoint that a path belongs to."""
    path = url.partition("?")[0]
    if path:
        for endpoint, pattern in routes.get(_first_part(path), ()):
            if pattern.fullmatch(path):
                return endpoint
    return None


def insert(row: Mapping[str, Any]) -> int:
    """Insert a row into this process's database and commit."""
    connection = connect()
    cursor = connection.execute(
        "INSERT INTO events (org_id, user_id, action, object_type, object_id, created_at,"
        " agent, version, system, device, endpoint, properties) VALUES (:org_id, :user_id,"
        " :action, :object_type, :object_id, :timestamp, :agent, :version, :system, :device,"
        " :endpoint, :properties)",
        row,
    )
    connection.commit()
    return cursor.lastrowid or 0


def connect() -> sqlite3.Connection:
    """Return this process's own connection, opened when it is first needed.

    A connection that was open before a fork belongs to the parent: the child
    keeps it aside, neither used nor closed, and opens one of its own.
    """
    global _store
    pid = os.getpid()
    if _store is None or _store.pid != pid:
        if _store is not None:
            _inherited.append(_store)
        _store = _Store(pid, open_database())
    return _store.connection


def open_database() -> sqlite3.Connection:
    """Make a database whose file has no name, so that nothing is left of it in any case.

    The file has a name only until SQLite has opened it, for some microseconds
    in which it is empty. SQLite goes on with a file that was unlinked as long as
    the rollback journal is in memory; a journal file would need the name.
    """
    import sqlite3

    directory = os.environ.get("TMPDIR") or "/tmp"
    path = os.path.join(directory, f"forkbench-{os.urandom(12).hex()}.sqlite")
    try:
        connection = sqlite3.connect(path)
    except sqlite3.Error as error:
        raise OSError(f"cannot make the database {path}: {error}; set TMPDIR") from error
    os.unlink(path)
    connection.execute("PRAGMA journal_mode = MEMORY")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(
        "CREATE TABLE events (id INTEGER PRIMARY KEY, org_id INTEGER NOT NULL, user_id INTEGER,"
        " action TEXT NOT NULL, object_type TEXT NOT NULL, object_id TEXT,"
        " created_at TEXT NOT NULL, agent TEXT, version TEXT, system TEXT, device TEXT,"
        " endpoint TEXT, properties TEXT NOT NULL)"
    )
    return connection
