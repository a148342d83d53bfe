import os
from pathlib import Path

import pytest

from mm_soap.bootstrap_transport import client_files
from mm_soap.config import Settings, load, reference
from mm_soap.errors import ConfigurationError
from mm_soap.pki import read_certificates
from mm_soap.testing import FrozenClock, TestPki

DEMONSTRATION = 'profile = "demonstration"\n'
DISPATCHER = '[dispatcher]\norganisation = "165599999900"\ncertificate = "pki/d.pem"\nkey = "pki/d.key"\n'
OPERATOR = """[[operator]]
organisation = "{0}"
name = "{0}"
certificate = "o.pem"
key = "o.key"
database = "data/{0}.sqlite3"
path = "{1}"
"""


@pytest.fixture(autouse=True)
def _no_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("MM_SOAP_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mm-soap.toml"


def read(file: Path, content: str) -> Settings:
    file.write_text(DEMONSTRATION + content)
    return load(file)


def sentence(file: Path, content: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(file, content)
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    return text.removeprefix(f"{file}: ")


class TestReading:
    def test_defaults(self, file: Path) -> None:
        settings = read(file, "")
        assert (settings.host, settings.port, settings.base_url) == ("127.0.0.1", 8080, "http://127.0.0.1:8080")
        assert settings.rules.check_digits
        assert settings.rules.max_message_bytes == 2_097_152
        assert (settings.far, settings.dispatcher, settings.operator, settings.tls) == (None, None, (), None)

    def test_production_is_the_default_profile(self) -> None:
        assert Settings().profile == "production"

    def test_relative_paths_are_taken_from_the_folder_of_the_file(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir("/")
        settings = read(file, '[trust]\nanchors = ["pki/ca.pem", "/etc/ca.pem"]\n[far]\n' + DISPATCHER)
        assert settings.trust.anchors == (file.parent / "pki/ca.pem", Path("/etc/ca.pem"))
        assert settings.far
        assert settings.far.database == str(file.parent / "data/far.sqlite3")
        assert settings.dispatcher
        assert settings.dispatcher.key == str(file.parent / "pki/d.key")

    def test_paths_are_absolute_also_when_the_file_is_named_relatively(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file.write_text(DEMONSTRATION + "[far]\n")
        monkeypatch.chdir(file.parent)
        settings = load(Path("mm-soap.toml"))
        assert settings.far
        assert settings.far.database == str(file.parent / "data/far.sqlite3")

    def test_a_database_may_be_a_url(self, file: Path) -> None:
        settings = read(file, '[far]\ndatabase = "postgresql://far@db/far"\n')
        assert settings.far
        assert settings.far.database == "postgresql://far@db/far"

    @pytest.mark.parametrize(
        ("content", "url"),
        [
            ('host = "::1"\n', "http://[::1]:8080"),
            ('host = "0.0.0.0"\nport = 9000\n', "http://127.0.0.1:9000"),
            ('public_url = "https://post.example.se/"\n', "https://post.example.se"),
            ('[tls]\ncertificate = "a"\nkey = "b"\n', "https://127.0.0.1:8080"),
        ],
    )
    def test_base_url(self, file: Path, content: str, url: str) -> None:
        assert read(file, content).base_url == url

    def test_the_register_is_here_unless_said(self, file: Path) -> None:
        settings = read(file, DISPATCHER + OPERATOR.format("165599999918", "") + 'register_url = "http://far:1/"')
        assert settings.dispatcher
        assert settings.register_url(settings.dispatcher) == "http://127.0.0.1:8080"
        assert settings.register_url(settings.operator[0]) == "http://far:1"


class TestEnvironment:
    def test_wins_over_the_file(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MM_SOAP_PORT", "9001")
        monkeypatch.setenv("MM_SOAP_DISPATCHER__DATABASE", "other/d.sqlite3")
        monkeypatch.setenv("MM_SOAP_TRUST__ANCHORS", '["x.pem"]')
        settings = read(file, 'port = 9000\nhost = "localhost"\n' + DISPATCHER)
        assert (settings.host, settings.port) == ("localhost", 9001)
        assert settings.dispatcher
        assert settings.dispatcher.organisation == "165599999900"
        assert settings.dispatcher.database == str(file.parent / "other/d.sqlite3")
        assert settings.trust.anchors == (file.parent / "x.pem",)

    def test_can_add_a_table(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MM_SOAP_FAR__DATABASE", "f.sqlite3")
        settings = read(file, "")
        assert settings.far
        assert settings.far.database == str(file.parent / "f.sqlite3")

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("MM_SOAP_PROT", "1", "The environment variable MM_SOAP_PROT is not a setting; write port if"),
            ("MM_SOAP_PORT", "many", "The environment variable MM_SOAP_PORT must be a valid integer."),
            ("MM_SOAP_RULES__CHECK", "1", "The environment variable MM_SOAP_RULES__CHECK is not a setting; "),
            ("MM_SOAP_OPERATOR", "x", "An environment variable MM_SOAP_* that sets a list or a table must hold JSON"),
            ("MM_SOAP_OPERATOR", "[{}]", "MM_SOAP_OPERATOR: operator.organisation (number 1) is missing; add it"),
        ],
    )
    def test_says_which_variable_is_wrong(
        self, file: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
    ) -> None:
        monkeypatch.setenv(name, value)
        assert sentence(file, "").startswith(expected)

    def test_other_variables_of_the_project_are_left_alone(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MM_SOAP_CONFIG", "x")
        monkeypatch.setenv("MM_SOAP_TEST_DATABASE", "x")
        read(file, "")


class TestWrongFile:
    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ("prot = 1", "prot is not a setting; write port if that is meant, or remove it."),
            ("[wholly]\nunknown = 1", "wholly is not a setting; remove it, or correct its name."),
            (DISPATCHER + "look_up_bach = 1", "dispatcher.look_up_bach is not a setting; write look_up_batch if"),
            (DISPATCHER + "look_up_batch = 1001", "dispatcher.look_up_batch must be less than or equal to 1000."),
            ("port = 0", "port must be greater than 0."),
            ("port = 'x'", "port must be a valid integer."),
            ("far = 1", "far must be a table."),
            ("[trust]\nanchors = 'a'", "trust.anchors must be a list."),
            ("[trust]\nallow_sha1_from = ['1']", "trust.allow_sha1_from (number 1) must be 12 digits that begin with"),
            (OPERATOR.format("1655", ""), "operator.organisation (number 1) must be 12 digits that begin with 16."),
            (OPERATOR.format("165599999918", "b"), "operator.path (number 1) must be empty or a path such as"),
            ("public_url = 'post.example.se'", "public_url must be an address such as https://post.example.se."),
            ("[dispatcher]\norganisation = '165599999900'\nkey = 'k'", "dispatcher.certificate is missing; add it."),
            ("[dispatcher]\norganisation = '165599999900'", "dispatcher.certificate is missing; add it (1 more"),
            (
                OPERATOR.format("165599999918", "") + OPERATOR.format("165599999926", ""),
                "the path of each [[operator]] must be its own.",
            ),
            (
                DISPATCHER + "database = 'a'\n[far]\ndatabase = 'a'\n",
                "the database of each party must be its own.",
            ),
        ],
    )
    def test_says_which_setting_and_what_to_do(self, file: Path, content: str, expected: str) -> None:
        assert sentence(file, content).startswith(expected)

    def test_the_profile_is_one_of_two(self, file: Path) -> None:
        file.write_text('profile = "test"')
        with pytest.raises(ConfigurationError, match="profile must be 'demonstration' or 'production'"):
            load(file)

    def test_never_repeats_a_value(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "hunter2" not in sentence(file, '[far]\ndatabase = ["postgresql://far:hunter2@db/far"]\n')
        assert "hunter2" not in sentence(file, "[far]\ndatabase = postgresql://far:hunter2@db/far\n")
        monkeypatch.setenv("MM_SOAP_OPERATOR", "hunter2")
        assert "hunter2" not in sentence(file, "")

    def test_a_database_is_not_in_the_text_of_the_settings(self, file: Path) -> None:
        assert "hunter2" not in repr(read(file, "[far]\ndatabase = 'postgresql://far:hunter2@db/far'\n"))

    def test_no_file(self, file: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"does not exist: .* `mm-soap init DIR --demo`\.$"):
            load(file)

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
            load(tmp_path)

    def test_not_toml(self, file: Path) -> None:
        assert "is not valid TOML" in sentence(file, "port: 8080")

    def test_not_utf_8(self, file: Path) -> None:
        file.write_bytes(b"# \xe5\n")
        with pytest.raises(ConfigurationError, match="must be UTF-8"):
            load(file)


PRODUCTION = """
public_url = "https://post.example.se"
[trust]
anchors = ["real.pem"]
[tls]
certificate = "real.pem"
key = "tls.key"
client_anchors = ["real.pem"]
[revocation]
hosts = ["crl.example.se"]
[dispatcher]
organisation = "165599999900"
certificate = "real.pem"
key = "d.key"
register_url = "https://far.example.se"
[[sender]]
organisation = "162021004748"
name = "Kommun A"
certificate = "real.pem"
key = "s.key"
dispatcher_url = "https://dispatcher.example.se"
"""


EMAIL = '[dispatcher.email]\nhost = "smtp.example.org"\n'
SMS = '[dispatcher.sms]\nuser = "u"\npassword_file = "none"\n'


INBOX = """\
[[operator]]
organisation = "165599999918"
name = "O"
certificate = "real.pem"
key = "d.key"
database = "o.sqlite3"
register_url = "https://far.example.se"
[operator.web]
"""


SECRET = 'issuer = "https://eid.example"\nclient_secret = "none"\n'


class TestProduction:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        pki = TestPki(FrozenClock())
        pki.organisation("162021004748", "Kommun A")
        pki.write(tmp_path)
        pinned = pki.organisation("165599999900", "Real", self_signed=True)
        pki.write(tmp_path / "pinned", [pinned])
        (tmp_path / "pinned/165599999900.pem").rename(tmp_path / "real.pem")
        assert read_certificates(tmp_path / "real.pem") == (pinned.certificate,)
        for name in ("tls.key", "d.key", "s.key"):
            (tmp_path / name).touch(mode=0o600)
        return tmp_path

    def check(self, folder: Path, content: str) -> Settings:
        file = folder / "mm-soap.toml"
        file.write_text(content)
        return load(file)

    def test_accepts_what_is_safe(self, folder: Path) -> None:
        assert self.check(folder, PRODUCTION).profile == "production"

    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            (PRODUCTION, "[far]\n", r"The production profile needs a table \[tls\]"),
            ('client_anchors = ["real.pem"]', "", "Set tls.client_anchors"),
            ('[revocation]\nhosts = ["crl.example.se"]', "", r"needs a table \[revocation\]: without it, a revoked"),
            ('hosts = ["crl.example.se"]', "", "revocation must have hosts, or an issuer with lists or a responder"),
            ('["crl.example.se"]', '["http://crl.example.se/"]', "hosts .* must be a host such as crl.example.se"),
            ("https://post", "http://post", "public_url must begin with https://"),
            ("https://disp", "http://disp", "sender.dispatcher_url must begin with https://"),
            ("https://far", "http://far", "dispatcher.register_url must begin with https://"),
            ("[dispatcher]", "[far]\nsignatures_once = false\n[dispatcher]", "Remove far.signatures_once"),
            (
                '\nanchors = ["real.pem"]',
                '\nanchors = ["ca.pem"]',
                "trust.anchors names .*ca.pem, which is of the test",
            ),
            ('client_anchors = ["real.pem"]', 'client_anchors = ["issuing-ca.pem"]', "tls.client_anchors names"),
            ('\nanchors = ["real.pem"]', '\nanchors = ["none.pem"]', "none.pem cannot be read"),
            ('\nanchors = ["real.pem"]', "", "Set trust.anchors: without it, nobody's signature is believed"),
            (
                'certificate = "real.pem"\nkey = "d.key"',
                'certificate = "162021004748.pem"\nkey = "d.key"',
                "dispatcher.certificate names .*, which is of the test CA",
            ),
            (
                'certificate = "real.pem"\nkey = "tls.key"',
                "",
                r"needs a table \[tls\] .*key, or proxies",
            ),
            (
                'public_url = "https://post.example.se"\n[trust]\nanchors = ["real.pem"]\n[tls]\n'
                'certificate = "real.pem"\nkey = "tls.key"',
                '[trust]\nanchors = ["real.pem"]\n[tls]\nproxies = ["192.0.2.1"]',
                "Set public_url: behind a proxy",
            ),
            ('key = "tls.key"', 'key = "tls.key"\nproxies = ["192.0.2.1"]', "or proxies, and not both"),
            ('key = "tls.key"', "", "must have certificate and key, or neither"),
            (
                'certificate = "real.pem"\nkey = "tls.key"',
                'proxies = ["proxy.example.se"]',
                "must be an IP address such as",
            ),
            ('key = "d.key"', 'key = "none.key"', "dispatcher.key names .*none.key, which cannot be read"),
            ("[[sender]]", f'{EMAIL}security = "none"\n[[sender]]', "Set dispatcher.email.security"),
            ("[[sender]]", f'{EMAIL}password_file = "no"\n[[sender]]', "dispatcher.email.password_file names"),
            ("[[sender]]", f'{SMS}url = "http://sms.example"\n[[sender]]', "dispatcher.sms.url must begin with https"),
            ("[[sender]]", f"{SMS}[[sender]]", "dispatcher.sms.password_file names"),
            (
                "[[sender]]",
                f'{INBOX}{SMS.replace("dispatcher", "operator")}url = "http://sms.example"\n[[sender]]',
                "operator.sms.url must begin with https",
            ),
            ("[[sender]]", "[test_idp]\n[[sender]]", r"Remove the table \[test_idp\]"),
            ("[[sender]]", f"{INBOX}[[sender]]", "operator.web.issuer must begin with https://"),
            ("[[sender]]", f'{INBOX}issuer = "http://eid.example"\n[[sender]]', "operator.web.issuer must begin with"),
            ("[[sender]]", f"{INBOX}{SECRET}[[sender]]", "operator.web.client_secret names"),
        ],
    )
    def test_refuses_what_only_a_demonstration_may_have(self, folder: Path, old: str, new: str, expected: str) -> None:
        assert old in PRODUCTION
        with pytest.raises(ConfigurationError, match=expected):
            self.check(folder, PRODUCTION.replace(old, new))

    def test_who_only_sends_needs_no_server(self, folder: Path) -> None:
        alone = '[tls]\nserver_anchors = ["real.pem"]\n' + PRODUCTION[PRODUCTION.index("[[sender]]") :]
        with pytest.raises(ConfigurationError, match=r"sender\.register_url must begin with https://"):
            self.check(folder, alone)
        assert self.check(folder, alone + 'register_url = "https://far.example.se"\n').sender

    def test_of_a_key_in_a_token_the_pin_is_private(self, folder: Path) -> None:
        pin = folder / "pin"
        pin.touch(mode=0o600)
        uri = f"pkcs11:object=signing?module-path=/usr/lib/p11.so&pin-source=file:{pin}"
        settings = PRODUCTION.replace('key = "d.key"', f'key = "{uri}"')
        assert self.check(folder, settings).dispatcher.key == uri
        pin.chmod(0o640)
        with pytest.raises(ConfigurationError, match=r"dispatcher\.key names .*/pin, which others may read"):
            self.check(folder, settings)

    def test_a_pin_does_not_stand_in_settings(self, folder: Path) -> None:
        uri = "pkcs11:object=signing?module-path=/usr/lib/p11.so&pin-value=4711"
        with pytest.raises(ConfigurationError, match=r"dispatcher\.key must not hold the PIN") as caught:
            self.check(folder, PRODUCTION.replace('key = "d.key"', f'key = "{uri}"'))
        assert "4711" not in str(caught.value)

    def test_what_is_shown_over_tls(self, folder: Path) -> None:
        """The certificate that signs, another one, or nothing that works: TLS cannot use a key in a token."""
        own = self.check(folder, PRODUCTION).dispatcher
        assert client_files(own) == (folder / "real.pem", folder / "d.key")
        files = 'key = "d.key"\ntls_certificate = "real.pem"\ntls_key = "s.key"'
        own = self.check(folder, PRODUCTION.replace('key = "d.key"', files)).dispatcher
        assert client_files(own) == (folder / "real.pem", folder / "s.key")
        with pytest.raises(ConfigurationError, match="must have tls_certificate and tls_key, or neither"):
            self.check(folder, PRODUCTION.replace('key = "d.key"', 'key = "d.key"\ntls_key = "s.key"'))
        uri = "pkcs11:object=signing?module-path=/usr/lib/p11.so"
        own = self.check(folder, PRODUCTION.replace('key = "d.key"', f'key = "{uri}"')).dispatcher
        with pytest.raises(ConfigurationError, match="Set tls_certificate and tls_key of 165599999900"):
            client_files(own)

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
    @pytest.mark.parametrize("name", ["tls", "d", "s"])
    def test_refuses_keys_that_others_can_read(self, folder: Path, name: str, mode: int) -> None:
        (folder / f"{name}.key").chmod(mode)
        with pytest.raises(ConfigurationError, match=rf"which others may read: run `chmod 600 .*{name}\.key`\."):
            self.check(folder, PRODUCTION)

    def test_a_demonstration_may_have_all_that(self, folder: Path) -> None:
        self.check(folder, DEMONSTRATION + '[trust]\nanchors = ["ca.pem"]\n')


class TestReference:
    def test_has_every_setting_with_its_meaning(self) -> None:
        rows = {row.key: row for row in reference()}
        assert rows["port"][1:3] == ("integer", "8080")
        assert rows["profile"].type == '"demonstration" or "production"'
        assert rows["trust.anchors"][1:3] == ("list of file", "[]")
        assert rows["sender[].certificate"][1:3] == ("file", "required")
        assert rows["rules.check_digits"][1:3] == ("true or false", "true")
        assert rows["operator[].path"][1:3] == ("text", '""')
        assert [row.key for row in rows.values() if not row.meaning.endswith(".")] == []

    def test_every_number_says_its_unit(self) -> None:
        units = ("bytes", "seconds", "days", "how many", "port")
        numbers = [row for row in reference() if row.type in ("integer", "number")]
        assert len(numbers) > 10
        assert [row.key for row in numbers if not any(unit in row.meaning.lower() for unit in units)] == []


class TestPolicy:
    def test_what_an_operator_does_not_say_is_as_for_all(self, file: Path) -> None:
        settings = read(
            file,
            DISPATCHER
            + "[dispatcher.policy]\ngive_up_after = 60\nprobes = 3\n"
            + "[[dispatcher.operator_policy]]\noperator = '165599999918'\nprobes = 1\n"
            + "technical_codes = ['0-4999', '5003']\n",
        )
        assert settings.dispatcher
        usual, (own,) = settings.dispatcher.policy, settings.dispatcher.operator_policy
        assert (usual.give_up_after, usual.probes, usual.technical_ranges) == (60, 3, ((0, 4999),))
        assert (own.give_up_after, own.probes, own.calls_at_once) == (60, 1, 4)
        assert own.technical_ranges == ((0, 4999), (5003, 5003))

    def test_what_a_sender_does_not_say_is_as_for_all(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MM_SOAP_DISPATCHER__LIMITS__BYTES_PER_DAY", "1000")
        settings = read(file, DISPATCHER + "[[dispatcher.sender_limits]]\nsender = '162021004748'\nburst = 7\n")
        assert settings.dispatcher
        (own,) = settings.dispatcher.sender_limits
        assert (own.bytes_per_day, own.burst, own.messages_per_second) == (1000, 7, 0)

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ("[dispatcher.policy]\nprobe = 1", "dispatcher.policy.probe is not a setting; write probes if"),
            ("[dispatcher.policy]\nprobes = 0", "dispatcher.policy.probes must be greater than 0."),
            ("[dispatcher.policy]\nretry_jitter = 1.1", "dispatcher.policy.retry_jitter must be less than or equal to"),
            ("[dispatcher.policy]\ntechnical_codes = ['x']", "dispatcher.policy.technical_codes (number 1) must be an"),
            (
                "[dispatcher.policy]\ntechnical_codes = ['9-1']",
                "dispatcher.policy.technical_codes (number 1) must be an",
            ),
            (
                "[[dispatcher.operator_policy]]\nprobes = 1",
                "dispatcher.operator_policy.operator (number 1) is missing;",
            ),
            (
                "[[dispatcher.sender_limits]]\nsender = '162021004748'\n" * 2,
                "dispatcher the sender of each [[dispatcher.sender_limits]] must be its own.",
            ),
        ],
    )
    def test_says_what_is_wrong(self, file: Path, content: str, expected: str) -> None:
        assert sentence(file, DISPATCHER + content).startswith(expected)
