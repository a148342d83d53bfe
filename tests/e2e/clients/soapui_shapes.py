"""The elements that SoapUI 5.7 writes into a project, as far as the player understands them."""

from __future__ import annotations

XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"

# Each element: its attributes, with the value where only one is understood, and its children in order, as a regular
# expression over their names. An element of SoapUI's namespace has the prefix con. "#" stands for text.
_ANY = None
_FLAG = "true|false"
_TRANSFERS = ("name", "sourceType", "sourceStep", "sourcePath", "targetType", "targetStep")
_TRANSFER_WAYS = ("type", "targetTransferType", "upgraded")
SHAPES: dict[str, tuple[dict[str, str | None], str]] = {
    "con:soapui-project": (
        {
            "id": _ANY,
            "activeEnvironment": "Default",
            "name": _ANY,
            "resourceRoot": "",
            "soapui-version": r"5\.7\.\d",
            "abortOnError": "false",
            "runType": "SEQUENTIAL",
        },
        "con:description con:settings (con:interface )+(con:testSuite )+con:properties con:wssContainer ",
    ),
    "con:interface": (
        {
            XSI_TYPE: "con:WsdlInterface",
            "id": _ANY,
            "wsaVersion": "NONE",
            "name": _ANY,
            "type": "wsdl",
            "bindingName": _ANY,
            "soapVersion": "1_1",
            "anonymous": "optional",
            "definition": _ANY,
        },
        "con:settings con:endpoints (con:operation )+",
    ),
    "con:endpoints": ({}, "con:endpoint "),
    "con:operation": (
        {
            "id": _ANY,
            "isOneWay": "false",
            "action": "",
            "name": _ANY,
            "bindingOperationName": _ANY,
            "type": "Request-Response",
            "inputName": "",
            "receivesAttachments": "false",
            "sendsAttachments": "false",
            "anonymous": "optional",
        },
        "con:settings ",
    ),
    "con:testSuite": (
        {"id": _ANY, "name": _ANY},
        "con:settings con:runType (con:testCase )+con:properties ",
    ),
    "con:testCase": (
        {
            "id": _ANY,
            "failOnError": "true",
            "failTestCaseOnErrors": "true",
            "keepSession": "false",
            "maxResults": "0",
            "name": _ANY,
            "searchProperties": "true",
        },
        "con:settings (con:testStep )+con:properties ",
    ),
    "con:testStep": ({"type": "request|transfer|delay", "name": _ANY, "id": _ANY}, "con:settings con:config "),
    "con:config request": ({XSI_TYPE: "con:RequestStep"}, "con:interface con:operation con:request "),
    "con:config transfer": ({XSI_TYPE: "con:PropertyTransfersStep"}, "(con:transfers )+"),
    "con:config delay": ({}, "delay "),
    "con:transfers": (
        {
            "setNullOnMissingSource": _FLAG,
            "transferTextContent": "true",
            "failOnError": "true",
            "ignoreEmpty": "false",
            "transferToAll": "false",
            "useXQuery": "false",
            "entitize": "false",
            "transferChildNodes": "false",
        },
        "".join(f"con:{name} " for name in (*_TRANSFERS, *_TRANSFER_WAYS)),
    ),
    "con:request step": (
        {"id": _ANY, "name": _ANY},
        "con:settings con:encoding con:endpoint con:request (con:assertion )+con:credentials con:jmsConfig "
        "con:jmsPropertyConfig con:wsaConfig con:wsrmConfig ",
    ),
    "con:assertion": ({"type": _ANY, "name": _ANY, "id": _ANY}, "(con:configuration )?"),
    "con:credentials": ({}, "con:authType "),
    "con:jmsConfig": ({"JMSDeliveryMode": "PERSISTENT"}, ""),
    "con:wsaConfig": ({"mustUnderstand": "NONE", "version": "200508"}, ""),
    "con:wsrmConfig": ({"version": r"1\.2"}, ""),
    "con:properties": ({}, "(con:property )*"),
    "con:property": ({}, "con:name con:value "),
    **{f"con:{name}": ({}, "") for name in ("settings", "jmsPropertyConfig", "wssContainer")},
    **{f"con:{name}": ({}, "#") for name in (*_TRANSFERS, "type", "description", "endpoint", "value")},
    **{f"con:{name}": ({}, text) for name, text in (("targetTransferType", "#XPATH"), ("upgraded", "#true"))},
    "con:runType": ({}, "#SEQUENTIAL"),
    "con:encoding": ({}, "#UTF-8"),
    "con:authType": ({}, "#No Authorization"),
    **{f"con:{name}": ({}, "#") for name in ("interface text", "operation text", "request text")},
    **{name: ({}, "#") for name in ("delay", "path", "content", "token")},
    **{name: ({}, "#false") for name in ("allowWildcards", "ignoreNamspaceDifferences", "ignoreComments")},
    **{name: ({}, "#false") for name in ("ignoreCase", "useRegEx")},
}

# The names that SoapUI gives these two are swapped: the first is the one that is shown as "Not SOAP Fault".
NO_FAULT, A_FAULT = "SOAP Fault Assertion", "Not SOAP Fault Assertion"
_XPATH_MATCH = "path content allowWildcards ignoreNamspaceDifferences ignoreComments "
CONFIGURATIONS: dict[str, str | None] = {
    "SOAP Response": None,
    NO_FAULT: None,
    A_FAULT: None,
    "Schema Compliance": "",
    "XPath Match": _XPATH_MATCH,
    "Simple Contains": "token ignoreCase useRegEx ",
    "Simple NotContains": "token ignoreCase useRegEx ",
}
