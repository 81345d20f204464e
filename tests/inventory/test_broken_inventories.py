"""Every way to get an inventory wrong, and the one line that a person sees.

Each case replaces a text of the good inventory (conftest.py) by another one. Where there is no text to replace, the
file is made, or made anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.errors import Refused
from deploy.inventory import load

HOSTS = "hosts.yml"
ALL = "group_vars/all/main.yml"
RIJK = "group_vars/rijk/main.yml"
INTERNET = "group_vars/internet/main.yml"
NEW = ""

Cases = dict[str, tuple[str, str, str, str]]

FILES: Cases = {
    "a tab": (
        HOSTS,
        "    internet:",
        "\tinternet:",
        "lab/hosts.yml:3: a tab where YAML wants spaces; indent with spaces",
    ),
    "broken syntax": (
        RIJK,
        "name: Voorbeeldrijk",
        "name: Voor: beeldrijk",
        "lab/group_vars/rijk/main.yml:2: not valid YAML: mapping values are not allowed here; "
        "mend the syntax here or on the line above",
    ),
    "an empty file": (
        RIJK,
        NEW,
        "# nothing yet\n",
        "lab/group_vars/rijk/main.yml:1: empty file; fill it or remove it",
    ),
    "a file that is a list": (
        "group_vars/rijk/mail.yml",
        NEW,
        "- postfix_message_size\n",
        "lab/group_vars/rijk/mail.yml:1: this file is not a mapping; write `key: value` lines",
    ),
    "a key twice": (
        RIJK,
        "  domain: rijk.test",
        "  domain: rijk.test\n  domain: rijk.nl",
        "lab/group_vars/rijk/main.yml:4: duplicate key 'domain', also on line 3; keep one of the two",
    ),
    "a key in two files": (
        "group_vars/rijk/mail.yml",
        NEW,
        "postfix_message_size: 10\n",
        "lab/group_vars/rijk/main.yml:12: duplicate key 'postfix_message_size', "
        "also at lab/group_vars/rijk/mail.yml:1; keep one of the two",
    ),
    "two documents": (
        RIJK,
        "postfix_message_size",
        "---\npostfix_message_size",
        "lab/group_vars/rijk/main.yml:12: a second YAML document; remove the line `---` or what follows it",
    ),
    "a merge key": (
        RIJK,
        "postfix_message_size: 50",
        "postfix_relay: {<<: {host: mx}}",
        "lab/group_vars/rijk/main.yml:12: a merge key (<<); write the keys out",
    ),
    "a value that contains itself": (
        RIJK,
        "postfix_message_size: 50",
        "postfix_networks: &a [*a]",
        "lab/group_vars/rijk/main.yml:12: a value that contains itself; write it out instead of using an alias",
    ),
    "a key that YAML takes for true": (
        RIJK,
        "  web: nginx",
        "  web: nginx\n  on: nginx",
        "lab/group_vars/rijk/main.yml:12: the key 'on' is not text; put it in quotes",
    ),
    "a name that YAML takes for a date": (
        RIJK,
        "name: Voorbeeldrijk",
        "name: 2026-13-45",
        "lab/group_vars/rijk/main.yml:2: cannot read '2026-13-45' as tag:yaml.org,2002:timestamp; put it in quotes",
    ),
    "variables of a group that is not there": (
        "group_vars/rijkk/main.yml",
        NEW,
        "postfix_message_size: 10\n",
        "lab/group_vars/rijkk: no organisation 'rijkk' in hosts.yml; did you mean 'rijk'?",
    ),
    "variables of a host that is not there": (
        "host_vars/stak.yml",
        NEW,
        "postfix_message_size: 10\n",
        "lab/host_vars/stak.yml: no host 'stak' in hosts.yml; did you mean 'stack'?",
    ),
    "secrets that nobody encrypted": (
        "group_vars/rijk/secrets.yml",
        NEW,
        "openldap_admin_secret: hunter2\n",
        "lab/group_vars/rijk/secrets.yml:1: secrets in the open; encrypt this file with ansible-vault",
    ),
    "a second inventory file": (
        "hosts.ini",
        NEW,
        "[rijk]\nstack\n",
        "lab/hosts.ini: an inventory file beside hosts.yml; move what it says into hosts.yml",
    ),
}

HOSTS_FILE: Cases = {
    "no `all`": (
        HOSTS,
        "all:",
        "alle:",
        "lab/hosts.yml:1: unknown key 'alle', a group outside `all`; did you mean 'all'?",
    ),
    "no organisation": (
        HOSTS,
        NEW,
        "all:\n  vars: {}\n",
        "lab/hosts.yml:1: no organisation; name one below all.children",
    ),
    "a host outside an organisation": (
        HOSTS,
        "  children:",
        "  hosts: {loose: {}}\n  children:",
        "lab/hosts.yml:2: unknown key 'hosts', not an organisation; put it below all.children.<organisation>",
    ),
    "a group inside an organisation": (
        HOSTS,
        "    rijk:",
        "    rijk:\n      children: {}",
        "lab/hosts.yml:10: unknown key 'children', in organisation 'rijk'; "
        "an organisation has `hosts` and `vars`, no groups",
    ),
    "an organisation without hosts or variables": (
        HOSTS,
        "    rijk:",
        "    rest:\n    rijk:",
        "lab/group_vars/rest/main.yml:1: missing key 'components'; add it; inventories/lab is the example to copy\n"
        "lab/group_vars/rest/main.yml:1: missing key 'organisation'; add it; inventories/lab is the example to copy\n"
        "lab/hosts.yml:9: organisation 'rest' has no hosts; name its hosts, or remove it",
    ),
    "an address in place of a host's variables": (
        HOSTS,
        "        reserve:\n",
        "        second: 198.18.10.20\n        reserve:\n",
        "lab/hosts.yml:16: 'second' is not a mapping; write `key: value` lines below it",
    ),
    "a host twice": (
        HOSTS,
        "        reserve:",
        "        stack:",
        "lab/hosts.yml:16: duplicate key 'stack', also on line 11; keep one of the two",
    ),
    "a host in two organisations": (
        HOSTS,
        "        reserve:",
        "        outside:",
        "lab/hosts.yml:16: host 'outside' is also in organisation 'internet'; keep it in one of the two",
    ),
    "a host name that DNS cannot have": (
        HOSTS,
        "        reserve:",
        "        Reserve_1:",
        "lab/hosts.yml:16: host 'Reserve_1' is not a DNS label; use lower-case letters, digits and hyphens, at most 63",
    ),
    "a host named like a service on another host": (
        HOSTS,
        "        reserve:",
        "        www:",
        "lab/hosts.yml:16: www.rijk.test is a public name, and it is on stack; give host 'www' another name",
    ),
}

HOST_KEYS: Cases = {
    "a misspelt connection variable": (
        HOSTS,
        "ansible_host: 198.18.10.11",
        "ansible_hots: 198.18.10.11",
        "lab/hosts.yml:12: unknown key 'ansible_hots'; did you mean 'ansible_host'?",
    ),
    "a misspelt key that is needed": (
        HOSTS,
        'ipv6: "fd00:18:10::13"',
        'ip6: "fd00:18:10::13"',
        "lab/hosts.yml:18: unknown key 'ip6'; did you mean 'ipv6'?",
    ),
    "no IPv6 address": (
        HOSTS,
        '          ipv6: "fd00:18:10::11"\n',
        "",
        "lab/hosts.yml:11: stack lacks 'ipv6'; add `ipv6: \"fd00:18:10::11\"`, its IPv6 address",
    ),
    "an address that is none": (
        HOSTS,
        "ipv4: 198.18.10.13",
        "ipv4: 198.18.10.256",
        "lab/hosts.yml:17: reserve.ipv4: '198.18.10.256' is not an IPv4 address; write it like 198.18.10.11",
    ),
    "an address of the other family": (
        HOSTS,
        "ipv4: 198.18.10.13",
        'ipv4: "fd00:18:10::14"',
        "lab/hosts.yml:17: reserve.ipv4: 'fd00:18:10::14' is not an IPv4 address; write it like 198.18.10.11",
    ),
    "a loopback address": (
        HOSTS,
        "ipv4: 198.18.10.13",
        "ipv4: 127.0.0.1",
        "lab/hosts.yml:17: reserve.ipv4: '127.0.0.1' is not an IPv4 address that others can reach; "
        "write it like 198.18.10.11",
    ),
    "a place for ssh that is neither address nor name": (
        HOSTS,
        "ansible_host: 198.18.10.11",
        "ansible_host: 198.18.10",
        "lab/hosts.yml:12: stack.ansible_host: '198.18.10' is not an address; "
        'write it like 198.18.10.11 or "fd00:18:10::11"',
    ),
    "one IPv4 address for two hosts": (
        HOSTS,
        "ipv4: 198.18.10.13",
        "ipv4: 198.18.10.11",
        "lab/hosts.yml:17: address 198.18.10.11 of 'reserve' is also of 'stack' (lab/hosts.yml:13); give each its own",
    ),
    "one IPv6 address for two hosts, written differently": (
        HOSTS,
        'ipv6: "fd00:18:10::13"',
        'ipv6: "FD00:18:10:0::11"',
        "lab/hosts.yml:18: address fd00:18:10::11 of 'reserve' is also of 'stack' (lab/hosts.yml:14); "
        "give each its own",
    ),
    "an extra address that another host has": (
        HOSTS,
        "[198.18.10.23]",
        "[198.18.10.14]",
        "lab/hosts.yml:19: address 198.18.10.14 of 'reserve' is also of 'outside' (lab/hosts.yml:6); give each its own",
    ),
    "a real address in a lab": (
        HOSTS,
        "ipv4: 198.18.10.13",
        "ipv4: 192.0.2.13",
        "lab/hosts.yml:17: address 192.0.2.13 of 'reserve' is outside the lab's networks; "
        "use 198.18.0.0/15 or fd00::/8",
    ),
    "a real IPv6 address in a lab": (
        HOSTS,
        'ipv6: "fd00:18:10::13"',
        'ipv6: "2001:db8::13"',
        "lab/hosts.yml:18: address 2001:db8::13 of 'reserve' is outside the lab's networks; "
        "use 198.18.0.0/15 or fd00::/8",
    ),
    "a connection variable that is a list": (
        ALL,
        "ansible_user: root",
        "ansible_user: [root]",
        "lab/group_vars/all/main.yml:9: ansible_user must be text or a number; write it on one line",
    ),
}

CAPABILITIES: Cases = {
    "one capability in place of a list": (
        HOSTS,
        "runs: [dns]",
        "runs: dns",
        "lab/hosts.yml:20: reserve.runs must be a list, not 'dns'; see docs/reference/inventory.md",
    ),
    "a number in place of a capability": (
        HOSTS,
        "runs: [dns]",
        "runs: [dns, 53]",
        "lab/hosts.yml:20: reserve.runs[1] must be text, not 53; put it in quotes",
    ),
    "a host runs an unknown capability": (
        HOSTS,
        "runs: [dns]",
        "runs: [dsn]",
        "lab/hosts.yml:20: unknown capability 'dsn'; did you mean 'dns'?",
    ),
    "an unknown capability has a component": (
        RIJK,
        "  web: nginx",
        "  wbe: nginx",
        "lab/group_vars/rijk/main.yml:11: unknown capability 'wbe'; did you mean 'web'?",
    ),
    "an unknown component": (
        RIJK,
        "  web: nginx",
        "  web: ngnix",
        "lab/group_vars/rijk/main.yml:11: unknown component 'ngnix' for web; did you mean 'nginx'?",
    ),
    "a component that cannot do it": (
        RIJK,
        "  web: nginx",
        "  web: postfix",
        "lab/group_vars/rijk/main.yml:11: unknown component 'postfix' for web; choose one of nginx, off",
    ),
    "components that are no mapping": (
        INTERNET,
        "components:\n  dns: powerdns\n  acme_authority: pebble\n  mail: off\n",
        "components: all\n",
        "lab/group_vars/internet/main.yml:6: components must be a mapping; write `capability: component` lines",
    ),
    "a capability twice": (
        HOSTS,
        "runs: [dns]",
        "runs: [dns, dns]",
        "lab/hosts.yml:20: host 'reserve' runs dns twice; keep one",
    ),
    "a capability on two hosts that cannot share it": (
        HOSTS,
        "runs: [dns]",
        "runs: [dns, certificates, web]",
        "lab/hosts.yml:20: web runs on 'stack' already; let one host of rijk run it",
    ),
    "a capability that is off": (
        RIJK,
        "  antivirus: clamav",
        "  antivirus: off",
        "lab/hosts.yml:15: host 'stack' runs antivirus, which is off; "
        "remove it here, or choose a component at lab/group_vars/rijk/main.yml:10",
    ),
    "a capability without a component": (
        RIJK,
        "  antivirus: clamav\n",
        "",
        "lab/hosts.yml:15: no component for antivirus; add `antivirus: clamav` at lab/group_vars/rijk/main.yml:5",
    ),
    "a capability that nobody runs": (
        HOSTS,
        "mail, antivirus, web]",
        "mail, web]",
        "lab/group_vars/rijk/main.yml:10: no host of rijk runs antivirus; "
        "add it to `runs` of a host, or write `antivirus: off`",
    ),
    "a capability that needs one that is not on its host": (
        HOSTS,
        "mail, antivirus, web]",
        'mail, web]\n        filter:\n          ipv4: 198.18.10.15\n          ipv6: "fd00:18:10::15"\n'
        "          runs: [antivirus]",
        "lab/hosts.yml:19: antivirus needs mail on the same host; add it to 'filter'",
    ),
    "a lab's organisation on a real platform": (
        ALL,
        "environment: lab",
        "environment: poc",
        "lab/group_vars/internet/main.yml:3: domain 'test' is a top-level domain; write it like rijk.test\n"
        "lab/group_vars/internet/main.yml:8: acme_authority is for labs only; write `acme_authority: off`",
    ),
}

PLATFORM: Cases = {
    "no platform": (
        ALL,
        NEW,
        "ansible_user: root\n",
        "lab/group_vars/all/main.yml:1: missing key 'platform'; add it; inventories/lab is the example to copy",
    ),
    "a misspelt platform": (
        ALL,
        "platform:",
        "platfrom:",
        "lab/group_vars/all/main.yml:1: unknown key 'platfrom'; did you mean 'platform'?",
    ),
    "an unknown environment": (
        ALL,
        "environment: lab",
        "environment: labb",
        "lab/group_vars/all/main.yml:2: platform.environment cannot be 'labb'; did you mean 'lab'?",
    ),
    "a primary that is no organisation": (
        ALL,
        "primary: rijk",
        "primary: rjik",
        "lab/group_vars/all/main.yml:3: no organisation 'rjik'; did you mean 'rijk'?",
    ),
    "a misspelt key": (
        ALL,
        "  management:",
        "  managment:",
        "lab/group_vars/all/main.yml:4: unknown key 'managment' in platform; did you mean 'management'?",
    ),
    "a network with host bits": (
        ALL,
        "[198.18.10.1]",
        "[198.18.10.1/8]",
        "lab/group_vars/all/main.yml:4: platform.management[0]: '198.18.10.1/8' is not an address or a network; "
        "write it like 198.18.10.1 or 198.18.10.0/24",
    ),
    "ssh from nowhere": (
        ALL,
        "[198.18.10.1]",
        "[]",
        "lab/group_vars/all/main.yml:4: platform.management: it is empty; fill it",
    ),
    "a misspelt key of the authority": (
        ALL,
        "    directory:",
        "    diretory:",
        "lab/group_vars/all/main.yml:8: unknown key 'diretory' in platform.acme; did you mean 'directory'?",
    ),
    "an authority without TLS": (
        ALL,
        "https://acme.test:14000/dir",
        "http://acme.test/dir",
        "lab/group_vars/all/main.yml:8: platform.acme.directory: 'http://acme.test/dir' is not an https address; "
        "write it like https://acme.test:14000/dir",
    ),
    "certificates without an authority": (
        ALL,
        "  acme:\n    directory: https://acme.test:14000/dir\n",
        "",
        "lab/group_vars/rijk/main.yml:7: certificates need platform.acme; add it at lab/group_vars/all/main.yml:1",
    ),
    "a root server without a name": (
        ALL,
        "name: ns1.test, ",
        "",
        "lab/group_vars/all/main.yml:6: platform.dns_root[0] lacks 'name'; add `name: ns1.test`, its name",
    ),
    "a private root that nobody serves": (
        INTERNET,
        '".", ',
        "",
        'lab/group_vars/all/main.yml:5: a private root that no organisation serves; add "." to the zones of one',
    ),
    "a private root that nobody uses": (
        ALL,
        '  dns_root:\n    - {name: ns1.test, ipv4: 198.18.10.14, ipv6: "fd00:18:10::14"}\n',
        "",
        "lab/group_vars/all/main.yml:1: 'internet' serves a private root; name its servers in platform.dns_root",
    ),
    "a key that belongs elsewhere": (
        ALL,
        "ansible_user: root",
        "components: {dns: powerdns}",
        "lab/group_vars/all/main.yml:9: unknown key 'components'; it belongs to group_vars/<organisation>",
    ),
}

ORGANISATION: Cases = {
    "no organisation": (
        RIJK,
        "organisation:\n  name: Voorbeeldrijk\n  domain: rijk.test\n  contact: security@rijk.test\n",
        "",
        "lab/group_vars/rijk/main.yml:1: missing key 'organisation'; add it; inventories/lab is the example to copy",
    ),
    "no components": (
        INTERNET,
        "components:\n  dns: powerdns\n  acme_authority: pebble\n  mail: off\n",
        "",
        "lab/group_vars/internet/main.yml:1: missing key 'components'; add it; inventories/lab is the example to copy",
    ),
    "no domain": (
        RIJK,
        "  domain: rijk.test\n",
        "",
        "lab/group_vars/rijk/main.yml:1: organisation lacks 'domain'; add `domain: rijk.test`, its domain",
    ),
    "a bad domain": (
        RIJK,
        "domain: rijk.test",
        "domain: rijk_test",
        "lab/group_vars/rijk/main.yml:3: organisation.domain: 'rijk_test' is not a domain name; write it like "
        "rijk.test; in each part use lower-case letters, digits and hyphens, at most 63, no hyphen at either end",
    ),
    "a domain that YAML takes for false": (
        RIJK,
        "domain: rijk.test",
        "domain: no",
        "lab/group_vars/rijk/main.yml:3: organisation.domain must be text, not False; put it in quotes",
    ),
    "one domain for two organisations": (
        RIJK,
        "domain: rijk.test",
        "domain: test",
        "lab/group_vars/rijk/main.yml:3: domain test is also of organisation 'internet'; give each its own",
    ),
    "a contact that is no mail address": (
        RIJK,
        "security@rijk.test",
        "security",
        "lab/group_vars/rijk/main.yml:4: organisation.contact: 'security' is not a mail address; "
        "write it like security@rijk.test",
    ),
    "a name that is empty": (
        RIJK,
        "name: Voorbeeldrijk",
        'name: ""',
        "lab/group_vars/rijk/main.yml:2: organisation.name: it is empty; fill it",
    ),
    "a name that is missing": (
        RIJK,
        "name: Voorbeeldrijk",
        "name:",
        "lab/group_vars/rijk/main.yml:2: organisation.name must be text, not empty; see docs/reference/inventory.md",
    ),
    "a time to live of nothing": (
        RIJK,
        "  contact:",
        "  ttl: 0\n  contact:",
        "lab/group_vars/rijk/main.yml:4: organisation.ttl must be at least 1, not 0; see docs/reference/inventory.md",
    ),
    "a time to live in words": (
        RIJK,
        "  contact:",
        "  ttl: an hour\n  contact:",
        "lab/group_vars/rijk/main.yml:4: organisation.ttl must be a whole number, not 'an hour'; "
        "see docs/reference/inventory.md",
    ),
    "an unknown public name": (
        RIJK,
        "  contact:",
        "  names: {mial: mx.rijk.test}\n  contact:",
        "lab/group_vars/rijk/main.yml:4: unknown public name 'mial'; did you mean 'mail'?",
    ),
    "a public name in somebody else's domain": (
        RIJK,
        "  contact:",
        "  names: {mail: mx.elders.test}\n  contact:",
        "lab/group_vars/rijk/main.yml:4: mx.elders.test is not below rijk.test; "
        "name it below the organisation's own domain",
    ),
    "a record that is none": (
        RIJK,
        "  contact:",
        "  records: [blog A 192.0.2.300]\n  contact:",
        "lab/group_vars/rijk/main.yml:4: organisation.records[0]: 'blog A 192.0.2.300' is not a DNS record "
        "(Text input is malformed.); write it like `blog A 192.0.2.10`",
    ),
    "a comment in place of a record": (
        RIJK,
        "  contact:",
        '  records: ["; later"]\n  contact:',
        "lab/group_vars/rijk/main.yml:4: organisation.records[0]: '; later' holds no DNS record; "
        "write it like `blog A 192.0.2.10`",
    ),
    "a record in somebody else's zone": (
        RIJK,
        "  contact:",
        "  records: [blog.elders.test. A 192.0.2.30]\n  contact:",
        "lab/group_vars/rijk/main.yml:4: blog.elders.test. is in no zone of rijk; its zones are rijk.test.",
    ),
    "a zone without its dot": (
        INTERNET,
        "18.198.in-addr.arpa.]",
        "18.198.in-addr.arpa]",
        "lab/group_vars/internet/main.yml:5: organisation.zones[1]: '18.198.in-addr.arpa' is not the name of a zone; "
        "write it with a dot at its end, like test.",
    ),
    "a zone of two organisations": (
        INTERNET,
        "18.198.in-addr.arpa.]",
        "rijk.test.]",
        "lab/group_vars/internet/main.yml:5: zone rijk.test. is of 'rijk' already; name it once",
    ),
}

OPTIONS: Cases = {
    "a misspelt option": (
        RIJK,
        "postfix_message_size",
        "postfix_mesage_size",
        "lab/group_vars/rijk/main.yml:12: unknown key 'postfix_mesage_size'; did you mean 'postfix_message_size'?",
    ),
    "words for a number": (
        RIJK,
        "postfix_message_size: 50",
        "postfix_message_size: fifty",
        "lab/group_vars/rijk/main.yml:12: postfix_message_size must be a whole number, not 'fifty'; its default is 25",
    ),
    "a number for a truth": (
        RIJK,
        "postfix_message_size: 50",
        "postfix_enabled: 1",
        "lab/group_vars/rijk/main.yml:12: postfix_enabled must be true or false, not 1; "
        "see the role's meta/argument_specs.yml",
    ),
    "a truth for a number": (
        RIJK,
        "postfix_message_size: 50",
        "postfix_message_size: yes",
        "lab/group_vars/rijk/main.yml:12: postfix_message_size must be a whole number, not True; its default is 25",
    ),
    "an element of the wrong type": (
        RIJK,
        "postfix_message_size: 50",
        "postfix_networks: [a, [b]]",
        "lab/group_vars/rijk/main.yml:12: postfix_networks[1] must be text, not ['b']; "
        "see the role's meta/argument_specs.yml",
    ),
    "none of the choices": (
        RIJK,
        "postfix_message_size: 50",
        "postfix_level: middle",
        "lab/group_vars/rijk/main.yml:12: postfix_level cannot be 'middle'; choose one of low, high",
    ),
    "a misspelt key inside an option": (
        RIJK,
        "postfix_message_size: 50",
        "postfix_relay: {hots: mx}",
        "lab/group_vars/rijk/main.yml:12: unknown key 'hots' in postfix_relay; did you mean 'host'?",
    ),
    "a missing key inside an option": (
        RIJK,
        "postfix_message_size: 50",
        "postfix_relay: {port: 25}",
        "lab/group_vars/rijk/main.yml:12: postfix_relay lacks 'host'; add it",
    ),
    "a wrong type inside an option": (
        RIJK,
        "postfix_message_size: 50",
        "postfix_relay: {host: mx, port: smtp}",
        "lab/group_vars/rijk/main.yml:12: postfix_relay.port must be a whole number, not 'smtp'; "
        "see the role's meta/argument_specs.yml",
    ),
    "a secret in the open": (
        RIJK,
        "postfix_message_size: 50",
        "postfix_relay_secret: hunter2",
        "lab/group_vars/rijk/main.yml:12: 'postfix_relay_secret' in the open; "
        "move it into the encrypted group_vars/<organisation>/secrets.yml",
    ),
    "a password in the open": (
        ALL,
        "ansible_user: root",
        "ansible_become_password: hunter2",
        "lab/group_vars/all/main.yml:9: 'ansible_become_password' in the open; "
        "move it into the encrypted group_vars/<organisation>/secrets.yml",
    ),
    "a variable that the toolkit computes": (
        RIJK,
        "postfix_message_size: 50",
        "bsw_commit: abc",
        "lab/group_vars/rijk/main.yml:12: 'bsw_commit' is computed by the toolkit; remove it",
    ),
    "a variable that nobody reads": (
        RIJK,
        "postfix_message_size: 50",
        "something_else: 1",
        "lab/group_vars/rijk/main.yml:12: unknown key 'something_else'; "
        "remove it, or see docs/reference/inventory.md for the keys",
    ),
}

EVERY = [
    pytest.param(*case, id=name)
    for cases in (FILES, HOSTS_FILE, HOST_KEYS, CAPABILITIES, PLATFORM, ORGANISATION, OPTIONS)
    for name, case in cases.items()
]


def break_it(lab: Path, file: str, old: str, new: str) -> None:
    path = lab / file
    if old == NEW:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(new)
        return
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} is not once in {file}"
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(("file", "old", "new", "line"), EVERY)
def test_a_broken_inventory_is_refused_with_one_clear_line(lab: Path, file: str, old: str, new: str, line: str) -> None:
    break_it(lab, file, old, new)
    with pytest.raises(Refused) as refused:
        load(lab)
    assert str(refused.value) == line


def test_all_that_is_wrong_is_said_at_once(lab: Path) -> None:
    break_it(lab, HOSTS, "runs: [dns]", "runs: [dsn]")
    break_it(lab, ALL, "primary: rijk", "primary: rjik")
    break_it(lab, RIJK, "domain: rijk.test", "domain: rijk_test")
    break_it(lab, INTERNET, "acme_authority: pebble", "acme_authority: pebbles")
    with pytest.raises(Refused) as refused:
        load(lab)
    assert [finding.where for finding in refused.value.findings] == [
        "lab/group_vars/all/main.yml:3",
        "lab/group_vars/internet/main.yml:8",
        "lab/group_vars/rijk/main.yml:3",
        "lab/hosts.yml:20",
    ]


def test_a_file_with_broken_syntax_does_not_hide_what_is_wrong_elsewhere(lab: Path) -> None:
    break_it(lab, RIJK, "name: Voorbeeldrijk", "name: ]")
    break_it(lab, HOSTS, "runs: [dns]", "runs: [dsn]")
    with pytest.raises(Refused) as refused:
        load(lab)
    assert [finding.where for finding in refused.value.findings] == [
        "lab/group_vars/rijk/main.yml:2",
        "lab/hosts.yml:20",
    ]


def test_a_capability_that_needs_one_that_nobody_runs_is_refused(lab: Path) -> None:
    break_it(lab, INTERNET, "mail: off", "web: nginx")
    break_it(lab, HOSTS, "[dns, acme_authority]", "[dns, acme_authority, web]")
    with pytest.raises(Refused, match=r"^lab/hosts.yml:8: web needs certificates; let a host of internet run it$"):
        load(lab)


def test_zones_that_nobody_serves_are_refused(lab: Path) -> None:
    break_it(lab, INTERNET, "  dns: powerdns\n", "")
    break_it(lab, HOSTS, "[dns, acme_authority]", "[acme_authority]")
    what, remedy = "zones, but no host of internet runs dns", "let a host run dns, or remove the zones"
    with pytest.raises(Refused, match=f"^lab/{INTERNET}:5: {what}; {remedy}$"):
        load(lab)


def test_a_directory_that_is_not_there_is_no_inventory(lab: Path) -> None:
    with pytest.raises(Refused, match=r"^labb: no such inventory; name a directory such as inventories/lab$"):
        load(Path("labb"))


def test_an_inventory_without_hosts_is_refused(lab: Path) -> None:
    (lab / HOSTS).unlink()
    with pytest.raises(
        Refused, match=r"^lab/hosts.yml: missing file; make it; inventories/lab is the example to copy$"
    ):
        load(lab)


def test_a_file_that_is_no_text_is_refused(lab: Path) -> None:
    (lab / RIJK).write_bytes(b"organisation: \xff\n")
    with pytest.raises(
        Refused, match=r"lab/group_vars/rijk/main.yml: cannot be read: .*; it must be a readable file in"
    ):
        load(lab)
