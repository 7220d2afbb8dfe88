# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the Control Panel API is reached, and which of its calls are used."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of every module that talks to the API."""

    DOCUMENTATION = r"""
options:
  api_url:
    description:
      - Address of the control panel, C(https://) and the host, with a port where needed and without a path.
      - A provider with its own brand gives its own host name.
    type: str
    default: https://api.antispamcloud.com
  api_username:
    description:
      - Name of the admin, on the vendor's cloud an e-mail address.
      - The admin needs the permission "Allow Control Panel API usage".
    type: str
    required: true
  api_password:
    description: Password of the admin.
    type: str
    required: true
  validate_certs:
    description:
      - Whether the certificate of the server is verified.
      - With V(false) whoever stands between can read the passwords. For a private authority O(ca_path) is better.
    type: bool
    default: true
  ca_path:
    description:
      - File (PEM) or hashed folder with the certificates of the authorities that may have signed that of the server.
      - If not given, the file that E(REQUESTS_CA_BUNDLE) or E(CURL_CA_BUNDLE) names is used, otherwise the authorities
        that come with the Python library C(requests).
    type: path
  client_cert:
    description: File (PEM) with a certificate that shows to the server who we are, if it wants one.
    type: path
  client_key:
    description: File (PEM) with the key of O(client_cert), without a passphrase, if it is not in the same file.
    type: path
  proxy:
    description:
      - Address of an HTTP proxy, such as V(http://proxy.example.com:3128), with C(user:password@) where needed.
      - If not given, E(HTTPS_PROXY) and E(NO_PROXY) are used.
    type: str
  timeout:
    description: How many seconds to wait for a connection, and for each part of a reply.
    type: int
    default: 30
  retries:
    description:
      - How many times a request is repeated at most.
      - A read is repeated after every failure that may pass. A write is repeated only when it did not reach the
        server, or when the server has asked for it. One whose reply was lost is sent once more where a look at the
        server shows that it was not done, or where a second one does no harm.
      - Wrong credentials are never tried again.
    type: int
    default: 3
  retry_time:
    description:
      - How many seconds all repetitions of one request may take together.
      - When the server asks for a longer wait, the request fails at once.
    type: int
    default: 60
  http_agent:
    description: What the requests name as their program. If not given, the name and the version of this collection.
    type: str
  http_method:
    description:
      - Method of the requests. The vendor documents V(GET); some programs use V(POST).
      - With both, all data is in the path of the address.
    type: str
    choices: [GET, POST]
    default: GET
  api_methods:
    description:
      - Which call of the API does which operation, where that is not public, or is different on your server.
      - The keys are the operations V(list), V(add), V(add_ip), V(remove), V(set_password), V(set_limits),
        V(set_settings), V(lock) and V(unlock).
      - C(call) is the controller and the action, as in C(outgoingusers/list).
      - C(parameters) maps the names of this collection (C(domain), C(username), C(password), C(ip), C(mask),
        C(enabled), C(per_minute), C(per_hour), C(per_day), C(per_week), C(per_month), C(recipients_per_day),
        C(automatic_lock), C(lock_timeout), C(maximum_unlocks), and any name used in C(settings)) to those of the call.
      - C(fields) maps these names, C(authentication_method) and C(locked) to the fields in the reply of V(list).
      - C(values) maps the words C(true), C(false), C(inherit), C(user), C(domain) and C(ip) to those of the call.
        Free settings are sent as they are, C(true) and C(false) as 1 and 0.
      - C(fixed) has further parameters of the call, which are always sent as they are.
      - M(smarthost.spamexperts.api_info) returns a block that is ready to paste.
    type: dict
  use_discovered_methods:
    description:
      - Whether calls that change something, and that only the server's own help page shows, are used.
      - They are used only when the page names their parameters in a way that leaves no doubt.
      - With V(false) such a call is named in the error message, and not sent.
    type: bool
    default: false
notes:
  - If an option of the connection is not given, the environment variable with its name is used. They are
    E(SPAMEXPERTS_API_URL), E(SPAMEXPERTS_API_USERNAME), E(SPAMEXPERTS_API_PASSWORD), E(SPAMEXPERTS_VALIDATE_CERTS),
    E(SPAMEXPERTS_CA_PATH), E(SPAMEXPERTS_CLIENT_CERT), E(SPAMEXPERTS_CLIENT_KEY), E(SPAMEXPERTS_PROXY),
    E(SPAMEXPERTS_TIMEOUT), E(SPAMEXPERTS_RETRIES), E(SPAMEXPERTS_RETRY_TIME), E(SPAMEXPERTS_HTTP_AGENT) and
    E(SPAMEXPERTS_HTTP_METHOD). This is the environment of the host on which the module runs.
  - Run it on the controller, once, with the controller's own Python, and not on each host.
requirements:
  - Python 3.10 or later
  - requests 2.31 or later
"""
