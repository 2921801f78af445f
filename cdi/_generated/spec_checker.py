"""Made by tests.cdi.generate from the schema; never edited."""
# mypy: ignore-errors
SCHEMA_SHA256 = "3295475f7e653236c493fbc5622efd5ec306dcc534d9914cae7b4f0048137443"
VERSION = "2.22.3"
import re
class JsonSchemaValueException(ValueError):
    pass


REGEX_PATTERNS = {
    '^[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]/[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]$(?!\\n)': re.compile('^[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]/[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]\\Z(?!\\n)'),
    '^[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?$(?!\\n)': re.compile('^[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?\\Z(?!\\n)'),
    '^[^=]+=': re.compile('^[^=]+='),
    '^([rwm]*|none)$(?!\\n)': re.compile('^([rwm]*|none)\\Z(?!\\n)'),
    '^(/|(?!\\.{1,2}$(?!\\n))[^/\\n]*)$(?!\\n)': re.compile('^(/|(?!\\.{1,2}\\Z(?!\\n))[^/\\n]*)\\Z(?!\\n)')
}

NoneType = type(None)

def validate(data, custom_formats={}, name_prefix=None):
    if not isinstance(data, (dict)):
        raise JsonSchemaValueException("" + (name_prefix or "data") + " must be object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(['cdiVersion', 'kind', 'devices']) - data.keys()
        if data__missing_keys:
            raise JsonSchemaValueException("" + (name_prefix or "data") + " must contain ")
        data_keys = set(data.keys())
        if "cdiVersion" in data_keys:
            data_keys.remove("cdiVersion")
            data__cdiVersion = data["cdiVersion"]
            if not isinstance(data__cdiVersion, (str)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".cdiVersion must be string")
            if not (isinstance(data__cdiVersion, str) and data__cdiVersion == '0.3.0' or isinstance(data__cdiVersion, str) and data__cdiVersion == '0.4.0' or isinstance(data__cdiVersion, str) and data__cdiVersion == '0.5.0' or isinstance(data__cdiVersion, str) and data__cdiVersion == '0.6.0' or isinstance(data__cdiVersion, str) and data__cdiVersion == '0.7.0' or isinstance(data__cdiVersion, str) and data__cdiVersion == '0.8.0' or isinstance(data__cdiVersion, str) and data__cdiVersion == '1.0.0' or isinstance(data__cdiVersion, str) and data__cdiVersion == '1.1.0'):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".cdiVersion must be one of ['0.3.0', '0.4.0', '0.5.0', '0.6.0', '0.7.0', '0.8.0', '1.0.0', '1.1.0']")
        if "kind" in data_keys:
            data_keys.remove("kind")
            data__kind = data["kind"]
            if not isinstance(data__kind, (str)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".kind must be string")
            if isinstance(data__kind, str):
                if not REGEX_PATTERNS['^[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]/[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]$(?!\\n)'].search(data__kind):
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".kind must match pattern ^[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]/[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]$(?!\\n)")
        if "annotations" in data_keys:
            data_keys.remove("annotations")
            data__annotations = data["annotations"]
            if not isinstance(data__annotations, (dict)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".annotations must be object")
            data__annotations_is_dict = isinstance(data__annotations, dict)
            if data__annotations_is_dict:
                data__annotations_keys = set(data__annotations.keys())
                for data__annotations_key in data__annotations_keys:
                    if data__annotations_key not in []:
                        data__annotations_value = data__annotations.get(data__annotations_key)
                        if not isinstance(data__annotations_value, (str)):
                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".annotations.{data__annotations_key}".format(**locals()) + " must be string")
        if "devices" in data_keys:
            data_keys.remove("devices")
            data__devices = data["devices"]
            if not isinstance(data__devices, (list, tuple)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices must be array")
            data__devices_is_list = isinstance(data__devices, (list, tuple))
            if data__devices_is_list:
                data__devices_len = len(data__devices)
                if data__devices_len < 1:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices must contain at least 1 items")
                for data__devices_x, data__devices_item in enumerate(data__devices):
                    if not isinstance(data__devices_item, (dict)):
                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}]".format(**locals()) + " must be object")
                    data__devices_item_is_dict = isinstance(data__devices_item, dict)
                    if data__devices_item_is_dict:
                        data__devices_item__missing_keys = set(['name', 'containerEdits']) - data__devices_item.keys()
                        if data__devices_item__missing_keys:
                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}]".format(**locals()) + " must contain ")
                        data__devices_item_keys = set(data__devices_item.keys())
                        if "name" in data__devices_item_keys:
                            data__devices_item_keys.remove("name")
                            data__devices_item__name = data__devices_item["name"]
                            if not isinstance(data__devices_item__name, (str)):
                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].name".format(**locals()) + " must be string")
                            if isinstance(data__devices_item__name, str):
                                if not REGEX_PATTERNS['^[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?$(?!\\n)'].search(data__devices_item__name):
                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].name".format(**locals()) + " must match pattern ^[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?$(?!\\n)")
                        if "annotations" in data__devices_item_keys:
                            data__devices_item_keys.remove("annotations")
                            data__devices_item__annotations = data__devices_item["annotations"]
                            if not isinstance(data__devices_item__annotations, (dict)):
                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].annotations".format(**locals()) + " must be object")
                            data__devices_item__annotations_is_dict = isinstance(data__devices_item__annotations, dict)
                            if data__devices_item__annotations_is_dict:
                                data__devices_item__annotations_keys = set(data__devices_item__annotations.keys())
                                for data__devices_item__annotations_key in data__devices_item__annotations_keys:
                                    if data__devices_item__annotations_key not in []:
                                        data__devices_item__annotations_value = data__devices_item__annotations.get(data__devices_item__annotations_key)
                                        if not isinstance(data__devices_item__annotations_value, (str)):
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].annotations.{data__devices_item__annotations_key}".format(**locals()) + " must be string")
                        if "containerEdits" in data__devices_item_keys:
                            data__devices_item_keys.remove("containerEdits")
                            data__devices_item__containerEdits = data__devices_item["containerEdits"]
                            if not isinstance(data__devices_item__containerEdits, (dict)):
                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits".format(**locals()) + " must be object")
                            data__devices_item__containerEdits_is_dict = isinstance(data__devices_item__containerEdits, dict)
                            if data__devices_item__containerEdits_is_dict:
                                data__devices_item__containerEdits_keys = set(data__devices_item__containerEdits.keys())
                                if "env" in data__devices_item__containerEdits_keys:
                                    data__devices_item__containerEdits_keys.remove("env")
                                    data__devices_item__containerEdits__env = data__devices_item__containerEdits["env"]
                                    if not isinstance(data__devices_item__containerEdits__env, (list, tuple)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.env".format(**locals()) + " must be array")
                                    data__devices_item__containerEdits__env_is_list = isinstance(data__devices_item__containerEdits__env, (list, tuple))
                                    if data__devices_item__containerEdits__env_is_list:
                                        data__devices_item__containerEdits__env_len = len(data__devices_item__containerEdits__env)
                                        for data__devices_item__containerEdits__env_x, data__devices_item__containerEdits__env_item in enumerate(data__devices_item__containerEdits__env):
                                            if not isinstance(data__devices_item__containerEdits__env_item, (str)):
                                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.env[{data__devices_item__containerEdits__env_x}]".format(**locals()) + " must be string")
                                            if isinstance(data__devices_item__containerEdits__env_item, str):
                                                if not REGEX_PATTERNS['^[^=]+='].search(data__devices_item__containerEdits__env_item):
                                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.env[{data__devices_item__containerEdits__env_x}]".format(**locals()) + " must match pattern ^[^=]+=")
                                if "deviceNodes" in data__devices_item__containerEdits_keys:
                                    data__devices_item__containerEdits_keys.remove("deviceNodes")
                                    data__devices_item__containerEdits__deviceNodes = data__devices_item__containerEdits["deviceNodes"]
                                    if not isinstance(data__devices_item__containerEdits__deviceNodes, (list, tuple)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes".format(**locals()) + " must be array")
                                    data__devices_item__containerEdits__deviceNodes_is_list = isinstance(data__devices_item__containerEdits__deviceNodes, (list, tuple))
                                    if data__devices_item__containerEdits__deviceNodes_is_list:
                                        data__devices_item__containerEdits__deviceNodes_len = len(data__devices_item__containerEdits__deviceNodes)
                                        for data__devices_item__containerEdits__deviceNodes_x, data__devices_item__containerEdits__deviceNodes_item in enumerate(data__devices_item__containerEdits__deviceNodes):
                                            if not isinstance(data__devices_item__containerEdits__deviceNodes_item, (dict)):
                                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}]".format(**locals()) + " must be object")
                                            data__devices_item__containerEdits__deviceNodes_item_is_dict = isinstance(data__devices_item__containerEdits__deviceNodes_item, dict)
                                            if data__devices_item__containerEdits__deviceNodes_item_is_dict:
                                                data__devices_item__containerEdits__deviceNodes_item__missing_keys = set(['path']) - data__devices_item__containerEdits__deviceNodes_item.keys()
                                                if data__devices_item__containerEdits__deviceNodes_item__missing_keys:
                                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}]".format(**locals()) + " must contain ")
                                                data__devices_item__containerEdits__deviceNodes_item_keys = set(data__devices_item__containerEdits__deviceNodes_item.keys())
                                                if "path" in data__devices_item__containerEdits__deviceNodes_item_keys:
                                                    data__devices_item__containerEdits__deviceNodes_item_keys.remove("path")
                                                    data__devices_item__containerEdits__deviceNodes_item__path = data__devices_item__containerEdits__deviceNodes_item["path"]
                                                    if not isinstance(data__devices_item__containerEdits__deviceNodes_item__path, (str)):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].path".format(**locals()) + " must be string")
                                                    if isinstance(data__devices_item__containerEdits__deviceNodes_item__path, str):
                                                        data__devices_item__containerEdits__deviceNodes_item__path_len = len(data__devices_item__containerEdits__deviceNodes_item__path)
                                                        if data__devices_item__containerEdits__deviceNodes_item__path_len < 1:
                                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].path".format(**locals()) + " must be longer than or equal to 1 characters")
                                                if "hostPath" in data__devices_item__containerEdits__deviceNodes_item_keys:
                                                    data__devices_item__containerEdits__deviceNodes_item_keys.remove("hostPath")
                                                    data__devices_item__containerEdits__deviceNodes_item__hostPath = data__devices_item__containerEdits__deviceNodes_item["hostPath"]
                                                    if not isinstance(data__devices_item__containerEdits__deviceNodes_item__hostPath, (str)):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].hostPath".format(**locals()) + " must be string")
                                                if "type" in data__devices_item__containerEdits__deviceNodes_item_keys:
                                                    data__devices_item__containerEdits__deviceNodes_item_keys.remove("type")
                                                    data__devices_item__containerEdits__deviceNodes_item__type = data__devices_item__containerEdits__deviceNodes_item["type"]
                                                    if not isinstance(data__devices_item__containerEdits__deviceNodes_item__type, (str)):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].type".format(**locals()) + " must be string")
                                                    if not (isinstance(data__devices_item__containerEdits__deviceNodes_item__type, str) and data__devices_item__containerEdits__deviceNodes_item__type == '' or isinstance(data__devices_item__containerEdits__deviceNodes_item__type, str) and data__devices_item__containerEdits__deviceNodes_item__type == 'b' or isinstance(data__devices_item__containerEdits__deviceNodes_item__type, str) and data__devices_item__containerEdits__deviceNodes_item__type == 'c' or isinstance(data__devices_item__containerEdits__deviceNodes_item__type, str) and data__devices_item__containerEdits__deviceNodes_item__type == 'u' or isinstance(data__devices_item__containerEdits__deviceNodes_item__type, str) and data__devices_item__containerEdits__deviceNodes_item__type == 'p'):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].type".format(**locals()) + " must be one of ['', 'b', 'c', 'u', 'p']")
                                                if "major" in data__devices_item__containerEdits__deviceNodes_item_keys:
                                                    data__devices_item__containerEdits__deviceNodes_item_keys.remove("major")
                                                    data__devices_item__containerEdits__deviceNodes_item__major = data__devices_item__containerEdits__deviceNodes_item["major"]
                                                    if not isinstance(data__devices_item__containerEdits__deviceNodes_item__major, (int)) and not (isinstance(data__devices_item__containerEdits__deviceNodes_item__major, float) and data__devices_item__containerEdits__deviceNodes_item__major.is_integer()) or isinstance(data__devices_item__containerEdits__deviceNodes_item__major, bool):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].major".format(**locals()) + " must be integer")
                                                    if isinstance(data__devices_item__containerEdits__deviceNodes_item__major, (int, float)) and not isinstance(data__devices_item__containerEdits__deviceNodes_item__major, bool):
                                                        if data__devices_item__containerEdits__deviceNodes_item__major < -9223372036854775808:
                                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].major".format(**locals()) + " must be bigger than or equal to -9223372036854775808")
                                                        if data__devices_item__containerEdits__deviceNodes_item__major > 9223372036854775807:
                                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].major".format(**locals()) + " must be smaller than or equal to 9223372036854775807")
                                                if "minor" in data__devices_item__containerEdits__deviceNodes_item_keys:
                                                    data__devices_item__containerEdits__deviceNodes_item_keys.remove("minor")
                                                    data__devices_item__containerEdits__deviceNodes_item__minor = data__devices_item__containerEdits__deviceNodes_item["minor"]
                                                    if not isinstance(data__devices_item__containerEdits__deviceNodes_item__minor, (int)) and not (isinstance(data__devices_item__containerEdits__deviceNodes_item__minor, float) and data__devices_item__containerEdits__deviceNodes_item__minor.is_integer()) or isinstance(data__devices_item__containerEdits__deviceNodes_item__minor, bool):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].minor".format(**locals()) + " must be integer")
                                                    if isinstance(data__devices_item__containerEdits__deviceNodes_item__minor, (int, float)) and not isinstance(data__devices_item__containerEdits__deviceNodes_item__minor, bool):
                                                        if data__devices_item__containerEdits__deviceNodes_item__minor < -9223372036854775808:
                                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].minor".format(**locals()) + " must be bigger than or equal to -9223372036854775808")
                                                        if data__devices_item__containerEdits__deviceNodes_item__minor > 9223372036854775807:
                                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].minor".format(**locals()) + " must be smaller than or equal to 9223372036854775807")
                                                if "fileMode" in data__devices_item__containerEdits__deviceNodes_item_keys:
                                                    data__devices_item__containerEdits__deviceNodes_item_keys.remove("fileMode")
                                                    data__devices_item__containerEdits__deviceNodes_item__fileMode = data__devices_item__containerEdits__deviceNodes_item["fileMode"]
                                                    if not isinstance(data__devices_item__containerEdits__deviceNodes_item__fileMode, (int)) and not (isinstance(data__devices_item__containerEdits__deviceNodes_item__fileMode, float) and data__devices_item__containerEdits__deviceNodes_item__fileMode.is_integer()) or isinstance(data__devices_item__containerEdits__deviceNodes_item__fileMode, bool):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].fileMode".format(**locals()) + " must be integer")
                                                    if isinstance(data__devices_item__containerEdits__deviceNodes_item__fileMode, (int, float)) and not isinstance(data__devices_item__containerEdits__deviceNodes_item__fileMode, bool):
                                                        if data__devices_item__containerEdits__deviceNodes_item__fileMode < 0:
                                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].fileMode".format(**locals()) + " must be bigger than or equal to 0")
                                                        if data__devices_item__containerEdits__deviceNodes_item__fileMode > 4294967295:
                                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].fileMode".format(**locals()) + " must be smaller than or equal to 4294967295")
                                                if "permissions" in data__devices_item__containerEdits__deviceNodes_item_keys:
                                                    data__devices_item__containerEdits__deviceNodes_item_keys.remove("permissions")
                                                    data__devices_item__containerEdits__deviceNodes_item__permissions = data__devices_item__containerEdits__deviceNodes_item["permissions"]
                                                    if not isinstance(data__devices_item__containerEdits__deviceNodes_item__permissions, (str)):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].permissions".format(**locals()) + " must be string")
                                                    if isinstance(data__devices_item__containerEdits__deviceNodes_item__permissions, str):
                                                        if not REGEX_PATTERNS['^([rwm]*|none)$(?!\\n)'].search(data__devices_item__containerEdits__deviceNodes_item__permissions):
                                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].permissions".format(**locals()) + " must match pattern ^([rwm]*|none)$(?!\\n)")
                                                if "uid" in data__devices_item__containerEdits__deviceNodes_item_keys:
                                                    data__devices_item__containerEdits__deviceNodes_item_keys.remove("uid")
                                                    data__devices_item__containerEdits__deviceNodes_item__uid = data__devices_item__containerEdits__deviceNodes_item["uid"]
                                                    if not isinstance(data__devices_item__containerEdits__deviceNodes_item__uid, (int)) and not (isinstance(data__devices_item__containerEdits__deviceNodes_item__uid, float) and data__devices_item__containerEdits__deviceNodes_item__uid.is_integer()) or isinstance(data__devices_item__containerEdits__deviceNodes_item__uid, bool):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].uid".format(**locals()) + " must be integer")
                                                    if isinstance(data__devices_item__containerEdits__deviceNodes_item__uid, (int, float)) and not isinstance(data__devices_item__containerEdits__deviceNodes_item__uid, bool):
                                                        if data__devices_item__containerEdits__deviceNodes_item__uid < 0:
                                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].uid".format(**locals()) + " must be bigger than or equal to 0")
                                                        if data__devices_item__containerEdits__deviceNodes_item__uid > 4294967295:
                                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].uid".format(**locals()) + " must be smaller than or equal to 4294967295")
                                                if "gid" in data__devices_item__containerEdits__deviceNodes_item_keys:
                                                    data__devices_item__containerEdits__deviceNodes_item_keys.remove("gid")
                                                    data__devices_item__containerEdits__deviceNodes_item__gid = data__devices_item__containerEdits__deviceNodes_item["gid"]
                                                    if not isinstance(data__devices_item__containerEdits__deviceNodes_item__gid, (int)) and not (isinstance(data__devices_item__containerEdits__deviceNodes_item__gid, float) and data__devices_item__containerEdits__deviceNodes_item__gid.is_integer()) or isinstance(data__devices_item__containerEdits__deviceNodes_item__gid, bool):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].gid".format(**locals()) + " must be integer")
                                                    if isinstance(data__devices_item__containerEdits__deviceNodes_item__gid, (int, float)) and not isinstance(data__devices_item__containerEdits__deviceNodes_item__gid, bool):
                                                        if data__devices_item__containerEdits__deviceNodes_item__gid < 0:
                                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].gid".format(**locals()) + " must be bigger than or equal to 0")
                                                        if data__devices_item__containerEdits__deviceNodes_item__gid > 4294967295:
                                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}].gid".format(**locals()) + " must be smaller than or equal to 4294967295")
                                                if data__devices_item__containerEdits__deviceNodes_item_keys:
                                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.deviceNodes[{data__devices_item__containerEdits__deviceNodes_x}]".format(**locals()) + " must not contain "+str(data__devices_item__containerEdits__deviceNodes_item_keys)+" properties")
                                if "netDevices" in data__devices_item__containerEdits_keys:
                                    data__devices_item__containerEdits_keys.remove("netDevices")
                                    data__devices_item__containerEdits__netDevices = data__devices_item__containerEdits["netDevices"]
                                    if not isinstance(data__devices_item__containerEdits__netDevices, (list, tuple)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.netDevices".format(**locals()) + " must be array")
                                    data__devices_item__containerEdits__netDevices_is_list = isinstance(data__devices_item__containerEdits__netDevices, (list, tuple))
                                    if data__devices_item__containerEdits__netDevices_is_list:
                                        data__devices_item__containerEdits__netDevices_len = len(data__devices_item__containerEdits__netDevices)
                                        for data__devices_item__containerEdits__netDevices_x, data__devices_item__containerEdits__netDevices_item in enumerate(data__devices_item__containerEdits__netDevices):
                                            if not isinstance(data__devices_item__containerEdits__netDevices_item, (dict)):
                                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.netDevices[{data__devices_item__containerEdits__netDevices_x}]".format(**locals()) + " must be object")
                                            data__devices_item__containerEdits__netDevices_item_is_dict = isinstance(data__devices_item__containerEdits__netDevices_item, dict)
                                            if data__devices_item__containerEdits__netDevices_item_is_dict:
                                                data__devices_item__containerEdits__netDevices_item__missing_keys = set(['hostInterfaceName', 'name']) - data__devices_item__containerEdits__netDevices_item.keys()
                                                if data__devices_item__containerEdits__netDevices_item__missing_keys:
                                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.netDevices[{data__devices_item__containerEdits__netDevices_x}]".format(**locals()) + " must contain ")
                                                data__devices_item__containerEdits__netDevices_item_keys = set(data__devices_item__containerEdits__netDevices_item.keys())
                                                if "hostInterfaceName" in data__devices_item__containerEdits__netDevices_item_keys:
                                                    data__devices_item__containerEdits__netDevices_item_keys.remove("hostInterfaceName")
                                                    data__devices_item__containerEdits__netDevices_item__hostInterfaceName = data__devices_item__containerEdits__netDevices_item["hostInterfaceName"]
                                                    if not isinstance(data__devices_item__containerEdits__netDevices_item__hostInterfaceName, (str)):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.netDevices[{data__devices_item__containerEdits__netDevices_x}].hostInterfaceName".format(**locals()) + " must be string")
                                                    if isinstance(data__devices_item__containerEdits__netDevices_item__hostInterfaceName, str):
                                                        data__devices_item__containerEdits__netDevices_item__hostInterfaceName_len = len(data__devices_item__containerEdits__netDevices_item__hostInterfaceName)
                                                        if data__devices_item__containerEdits__netDevices_item__hostInterfaceName_len < 1:
                                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.netDevices[{data__devices_item__containerEdits__netDevices_x}].hostInterfaceName".format(**locals()) + " must be longer than or equal to 1 characters")
                                                if "name" in data__devices_item__containerEdits__netDevices_item_keys:
                                                    data__devices_item__containerEdits__netDevices_item_keys.remove("name")
                                                    data__devices_item__containerEdits__netDevices_item__name = data__devices_item__containerEdits__netDevices_item["name"]
                                                    if not isinstance(data__devices_item__containerEdits__netDevices_item__name, (str)):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.netDevices[{data__devices_item__containerEdits__netDevices_x}].name".format(**locals()) + " must be string")
                                                    if isinstance(data__devices_item__containerEdits__netDevices_item__name, str):
                                                        data__devices_item__containerEdits__netDevices_item__name_len = len(data__devices_item__containerEdits__netDevices_item__name)
                                                        if data__devices_item__containerEdits__netDevices_item__name_len < 1:
                                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.netDevices[{data__devices_item__containerEdits__netDevices_x}].name".format(**locals()) + " must be longer than or equal to 1 characters")
                                                if data__devices_item__containerEdits__netDevices_item_keys:
                                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.netDevices[{data__devices_item__containerEdits__netDevices_x}]".format(**locals()) + " must not contain "+str(data__devices_item__containerEdits__netDevices_item_keys)+" properties")
                                if "hooks" in data__devices_item__containerEdits_keys:
                                    data__devices_item__containerEdits_keys.remove("hooks")
                                    data__devices_item__containerEdits__hooks = data__devices_item__containerEdits["hooks"]
                                    if not isinstance(data__devices_item__containerEdits__hooks, (list, tuple)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.hooks".format(**locals()) + " must be array")
                                    data__devices_item__containerEdits__hooks_is_list = isinstance(data__devices_item__containerEdits__hooks, (list, tuple))
                                    if data__devices_item__containerEdits__hooks_is_list:
                                        data__devices_item__containerEdits__hooks_len = len(data__devices_item__containerEdits__hooks)
                                        for data__devices_item__containerEdits__hooks_x, data__devices_item__containerEdits__hooks_item in enumerate(data__devices_item__containerEdits__hooks):
                                            if not isinstance(data__devices_item__containerEdits__hooks_item, (dict)):
                                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.hooks[{data__devices_item__containerEdits__hooks_x}]".format(**locals()) + " must be object")
                                            data__devices_item__containerEdits__hooks_item_is_dict = isinstance(data__devices_item__containerEdits__hooks_item, dict)
                                            if data__devices_item__containerEdits__hooks_item_is_dict:
                                                data__devices_item__containerEdits__hooks_item__missing_keys = set(['hookName', 'path']) - data__devices_item__containerEdits__hooks_item.keys()
                                                if data__devices_item__containerEdits__hooks_item__missing_keys:
                                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.hooks[{data__devices_item__containerEdits__hooks_x}]".format(**locals()) + " must contain ")
                                                data__devices_item__containerEdits__hooks_item_keys = set(data__devices_item__containerEdits__hooks_item.keys())
                                                if "hookName" in data__devices_item__containerEdits__hooks_item_keys:
                                                    data__devices_item__containerEdits__hooks_item_keys.remove("hookName")
                                                    data__devices_item__containerEdits__hooks_item__hookName = data__devices_item__containerEdits__hooks_item["hookName"]
                                                    if not isinstance(data__devices_item__containerEdits__hooks_item__hookName, (str)):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.hooks[{data__devices_item__containerEdits__hooks_x}].hookName".format(**locals()) + " must be string")
                                                    if not (isinstance(data__devices_item__containerEdits__hooks_item__hookName, str) and data__devices_item__containerEdits__hooks_item__hookName == 'prestart' or isinstance(data__devices_item__containerEdits__hooks_item__hookName, str) and data__devices_item__containerEdits__hooks_item__hookName == 'createRuntime' or isinstance(data__devices_item__containerEdits__hooks_item__hookName, str) and data__devices_item__containerEdits__hooks_item__hookName == 'createContainer' or isinstance(data__devices_item__containerEdits__hooks_item__hookName, str) and data__devices_item__containerEdits__hooks_item__hookName == 'startContainer' or isinstance(data__devices_item__containerEdits__hooks_item__hookName, str) and data__devices_item__containerEdits__hooks_item__hookName == 'poststart' or isinstance(data__devices_item__containerEdits__hooks_item__hookName, str) and data__devices_item__containerEdits__hooks_item__hookName == 'poststop'):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.hooks[{data__devices_item__containerEdits__hooks_x}].hookName".format(**locals()) + " must be one of ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop']")
                                                if "path" in data__devices_item__containerEdits__hooks_item_keys:
                                                    data__devices_item__containerEdits__hooks_item_keys.remove("path")
                                                    data__devices_item__containerEdits__hooks_item__path = data__devices_item__containerEdits__hooks_item["path"]
                                                    if not isinstance(data__devices_item__containerEdits__hooks_item__path, (str)):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.hooks[{data__devices_item__containerEdits__hooks_x}].path".format(**locals()) + " must be string")
                                                    if isinstance(data__devices_item__containerEdits__hooks_item__path, str):
                                                        data__devices_item__containerEdits__hooks_item__path_len = len(data__devices_item__containerEdits__hooks_item__path)
                                                        if data__devices_item__containerEdits__hooks_item__path_len < 1:
                                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.hooks[{data__devices_item__containerEdits__hooks_x}].path".format(**locals()) + " must be longer than or equal to 1 characters")
                                                if "args" in data__devices_item__containerEdits__hooks_item_keys:
                                                    data__devices_item__containerEdits__hooks_item_keys.remove("args")
                                                    data__devices_item__containerEdits__hooks_item__args = data__devices_item__containerEdits__hooks_item["args"]
                                                    if not isinstance(data__devices_item__containerEdits__hooks_item__args, (list, tuple)):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.hooks[{data__devices_item__containerEdits__hooks_x}].args".format(**locals()) + " must be array")
                                                    data__devices_item__containerEdits__hooks_item__args_is_list = isinstance(data__devices_item__containerEdits__hooks_item__args, (list, tuple))
                                                    if data__devices_item__containerEdits__hooks_item__args_is_list:
                                                        data__devices_item__containerEdits__hooks_item__args_len = len(data__devices_item__containerEdits__hooks_item__args)
                                                        for data__devices_item__containerEdits__hooks_item__args_x, data__devices_item__containerEdits__hooks_item__args_item in enumerate(data__devices_item__containerEdits__hooks_item__args):
                                                            if not isinstance(data__devices_item__containerEdits__hooks_item__args_item, (str)):
                                                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.hooks[{data__devices_item__containerEdits__hooks_x}].args[{data__devices_item__containerEdits__hooks_item__args_x}]".format(**locals()) + " must be string")
                                                if "env" in data__devices_item__containerEdits__hooks_item_keys:
                                                    data__devices_item__containerEdits__hooks_item_keys.remove("env")
                                                    data__devices_item__containerEdits__hooks_item__env = data__devices_item__containerEdits__hooks_item["env"]
                                                    if not isinstance(data__devices_item__containerEdits__hooks_item__env, (list, tuple)):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.hooks[{data__devices_item__containerEdits__hooks_x}].env".format(**locals()) + " must be array")
                                                    data__devices_item__containerEdits__hooks_item__env_is_list = isinstance(data__devices_item__containerEdits__hooks_item__env, (list, tuple))
                                                    if data__devices_item__containerEdits__hooks_item__env_is_list:
                                                        data__devices_item__containerEdits__hooks_item__env_len = len(data__devices_item__containerEdits__hooks_item__env)
                                                        for data__devices_item__containerEdits__hooks_item__env_x, data__devices_item__containerEdits__hooks_item__env_item in enumerate(data__devices_item__containerEdits__hooks_item__env):
                                                            if not isinstance(data__devices_item__containerEdits__hooks_item__env_item, (str)):
                                                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.hooks[{data__devices_item__containerEdits__hooks_x}].env[{data__devices_item__containerEdits__hooks_item__env_x}]".format(**locals()) + " must be string")
                                                            if isinstance(data__devices_item__containerEdits__hooks_item__env_item, str):
                                                                if not REGEX_PATTERNS['^[^=]+='].search(data__devices_item__containerEdits__hooks_item__env_item):
                                                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.hooks[{data__devices_item__containerEdits__hooks_x}].env[{data__devices_item__containerEdits__hooks_item__env_x}]".format(**locals()) + " must match pattern ^[^=]+=")
                                                if "timeout" in data__devices_item__containerEdits__hooks_item_keys:
                                                    data__devices_item__containerEdits__hooks_item_keys.remove("timeout")
                                                    data__devices_item__containerEdits__hooks_item__timeout = data__devices_item__containerEdits__hooks_item["timeout"]
                                                    if not isinstance(data__devices_item__containerEdits__hooks_item__timeout, (int)) and not (isinstance(data__devices_item__containerEdits__hooks_item__timeout, float) and data__devices_item__containerEdits__hooks_item__timeout.is_integer()) or isinstance(data__devices_item__containerEdits__hooks_item__timeout, bool):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.hooks[{data__devices_item__containerEdits__hooks_x}].timeout".format(**locals()) + " must be integer")
                                                    if isinstance(data__devices_item__containerEdits__hooks_item__timeout, (int, float)) and not isinstance(data__devices_item__containerEdits__hooks_item__timeout, bool):
                                                        if data__devices_item__containerEdits__hooks_item__timeout < -9223372036854775808:
                                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.hooks[{data__devices_item__containerEdits__hooks_x}].timeout".format(**locals()) + " must be bigger than or equal to -9223372036854775808")
                                                        if data__devices_item__containerEdits__hooks_item__timeout > 9223372036854775807:
                                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.hooks[{data__devices_item__containerEdits__hooks_x}].timeout".format(**locals()) + " must be smaller than or equal to 9223372036854775807")
                                                if data__devices_item__containerEdits__hooks_item_keys:
                                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.hooks[{data__devices_item__containerEdits__hooks_x}]".format(**locals()) + " must not contain "+str(data__devices_item__containerEdits__hooks_item_keys)+" properties")
                                if "mounts" in data__devices_item__containerEdits_keys:
                                    data__devices_item__containerEdits_keys.remove("mounts")
                                    data__devices_item__containerEdits__mounts = data__devices_item__containerEdits["mounts"]
                                    if not isinstance(data__devices_item__containerEdits__mounts, (list, tuple)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.mounts".format(**locals()) + " must be array")
                                    data__devices_item__containerEdits__mounts_is_list = isinstance(data__devices_item__containerEdits__mounts, (list, tuple))
                                    if data__devices_item__containerEdits__mounts_is_list:
                                        data__devices_item__containerEdits__mounts_len = len(data__devices_item__containerEdits__mounts)
                                        for data__devices_item__containerEdits__mounts_x, data__devices_item__containerEdits__mounts_item in enumerate(data__devices_item__containerEdits__mounts):
                                            if not isinstance(data__devices_item__containerEdits__mounts_item, (dict)):
                                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.mounts[{data__devices_item__containerEdits__mounts_x}]".format(**locals()) + " must be object")
                                            data__devices_item__containerEdits__mounts_item_is_dict = isinstance(data__devices_item__containerEdits__mounts_item, dict)
                                            if data__devices_item__containerEdits__mounts_item_is_dict:
                                                data__devices_item__containerEdits__mounts_item__missing_keys = set(['hostPath', 'containerPath']) - data__devices_item__containerEdits__mounts_item.keys()
                                                if data__devices_item__containerEdits__mounts_item__missing_keys:
                                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.mounts[{data__devices_item__containerEdits__mounts_x}]".format(**locals()) + " must contain ")
                                                data__devices_item__containerEdits__mounts_item_keys = set(data__devices_item__containerEdits__mounts_item.keys())
                                                if "hostPath" in data__devices_item__containerEdits__mounts_item_keys:
                                                    data__devices_item__containerEdits__mounts_item_keys.remove("hostPath")
                                                    data__devices_item__containerEdits__mounts_item__hostPath = data__devices_item__containerEdits__mounts_item["hostPath"]
                                                    if not isinstance(data__devices_item__containerEdits__mounts_item__hostPath, (str)):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.mounts[{data__devices_item__containerEdits__mounts_x}].hostPath".format(**locals()) + " must be string")
                                                    if isinstance(data__devices_item__containerEdits__mounts_item__hostPath, str):
                                                        data__devices_item__containerEdits__mounts_item__hostPath_len = len(data__devices_item__containerEdits__mounts_item__hostPath)
                                                        if data__devices_item__containerEdits__mounts_item__hostPath_len < 1:
                                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.mounts[{data__devices_item__containerEdits__mounts_x}].hostPath".format(**locals()) + " must be longer than or equal to 1 characters")
                                                if "containerPath" in data__devices_item__containerEdits__mounts_item_keys:
                                                    data__devices_item__containerEdits__mounts_item_keys.remove("containerPath")
                                                    data__devices_item__containerEdits__mounts_item__containerPath = data__devices_item__containerEdits__mounts_item["containerPath"]
                                                    if not isinstance(data__devices_item__containerEdits__mounts_item__containerPath, (str)):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.mounts[{data__devices_item__containerEdits__mounts_x}].containerPath".format(**locals()) + " must be string")
                                                    if isinstance(data__devices_item__containerEdits__mounts_item__containerPath, str):
                                                        data__devices_item__containerEdits__mounts_item__containerPath_len = len(data__devices_item__containerEdits__mounts_item__containerPath)
                                                        if data__devices_item__containerEdits__mounts_item__containerPath_len < 1:
                                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.mounts[{data__devices_item__containerEdits__mounts_x}].containerPath".format(**locals()) + " must be longer than or equal to 1 characters")
                                                if "options" in data__devices_item__containerEdits__mounts_item_keys:
                                                    data__devices_item__containerEdits__mounts_item_keys.remove("options")
                                                    data__devices_item__containerEdits__mounts_item__options = data__devices_item__containerEdits__mounts_item["options"]
                                                    if not isinstance(data__devices_item__containerEdits__mounts_item__options, (list, tuple)):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.mounts[{data__devices_item__containerEdits__mounts_x}].options".format(**locals()) + " must be array")
                                                    data__devices_item__containerEdits__mounts_item__options_is_list = isinstance(data__devices_item__containerEdits__mounts_item__options, (list, tuple))
                                                    if data__devices_item__containerEdits__mounts_item__options_is_list:
                                                        data__devices_item__containerEdits__mounts_item__options_len = len(data__devices_item__containerEdits__mounts_item__options)
                                                        for data__devices_item__containerEdits__mounts_item__options_x, data__devices_item__containerEdits__mounts_item__options_item in enumerate(data__devices_item__containerEdits__mounts_item__options):
                                                            if not isinstance(data__devices_item__containerEdits__mounts_item__options_item, (str)):
                                                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.mounts[{data__devices_item__containerEdits__mounts_x}].options[{data__devices_item__containerEdits__mounts_item__options_x}]".format(**locals()) + " must be string")
                                                if "type" in data__devices_item__containerEdits__mounts_item_keys:
                                                    data__devices_item__containerEdits__mounts_item_keys.remove("type")
                                                    data__devices_item__containerEdits__mounts_item__type = data__devices_item__containerEdits__mounts_item["type"]
                                                    if not isinstance(data__devices_item__containerEdits__mounts_item__type, (str)):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.mounts[{data__devices_item__containerEdits__mounts_x}].type".format(**locals()) + " must be string")
                                                if data__devices_item__containerEdits__mounts_item_keys:
                                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.mounts[{data__devices_item__containerEdits__mounts_x}]".format(**locals()) + " must not contain "+str(data__devices_item__containerEdits__mounts_item_keys)+" properties")
                                if "intelRdt" in data__devices_item__containerEdits_keys:
                                    data__devices_item__containerEdits_keys.remove("intelRdt")
                                    data__devices_item__containerEdits__intelRdt = data__devices_item__containerEdits["intelRdt"]
                                    if not isinstance(data__devices_item__containerEdits__intelRdt, (dict)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.intelRdt".format(**locals()) + " must be object")
                                    data__devices_item__containerEdits__intelRdt_is_dict = isinstance(data__devices_item__containerEdits__intelRdt, dict)
                                    if data__devices_item__containerEdits__intelRdt_is_dict:
                                        data__devices_item__containerEdits__intelRdt_keys = set(data__devices_item__containerEdits__intelRdt.keys())
                                        if "closID" in data__devices_item__containerEdits__intelRdt_keys:
                                            data__devices_item__containerEdits__intelRdt_keys.remove("closID")
                                            data__devices_item__containerEdits__intelRdt__closID = data__devices_item__containerEdits__intelRdt["closID"]
                                            if not isinstance(data__devices_item__containerEdits__intelRdt__closID, (str)):
                                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.intelRdt.closID".format(**locals()) + " must be string")
                                            if isinstance(data__devices_item__containerEdits__intelRdt__closID, str):
                                                if not REGEX_PATTERNS['^(/|(?!\\.{1,2}$(?!\\n))[^/\\n]*)$(?!\\n)'].search(data__devices_item__containerEdits__intelRdt__closID):
                                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.intelRdt.closID".format(**locals()) + " must match pattern ^(/|(?!\\.{1,2}$(?!\\n))[^/\\n]*)$(?!\\n)")
                                        if "l3CacheSchema" in data__devices_item__containerEdits__intelRdt_keys:
                                            data__devices_item__containerEdits__intelRdt_keys.remove("l3CacheSchema")
                                            data__devices_item__containerEdits__intelRdt__l3CacheSchema = data__devices_item__containerEdits__intelRdt["l3CacheSchema"]
                                            if not isinstance(data__devices_item__containerEdits__intelRdt__l3CacheSchema, (str)):
                                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.intelRdt.l3CacheSchema".format(**locals()) + " must be string")
                                        if "memBwSchema" in data__devices_item__containerEdits__intelRdt_keys:
                                            data__devices_item__containerEdits__intelRdt_keys.remove("memBwSchema")
                                            data__devices_item__containerEdits__intelRdt__memBwSchema = data__devices_item__containerEdits__intelRdt["memBwSchema"]
                                            if not isinstance(data__devices_item__containerEdits__intelRdt__memBwSchema, (str)):
                                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.intelRdt.memBwSchema".format(**locals()) + " must be string")
                                        if "schemata" in data__devices_item__containerEdits__intelRdt_keys:
                                            data__devices_item__containerEdits__intelRdt_keys.remove("schemata")
                                            data__devices_item__containerEdits__intelRdt__schemata = data__devices_item__containerEdits__intelRdt["schemata"]
                                            if not isinstance(data__devices_item__containerEdits__intelRdt__schemata, (list, tuple)):
                                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.intelRdt.schemata".format(**locals()) + " must be array")
                                            data__devices_item__containerEdits__intelRdt__schemata_is_list = isinstance(data__devices_item__containerEdits__intelRdt__schemata, (list, tuple))
                                            if data__devices_item__containerEdits__intelRdt__schemata_is_list:
                                                data__devices_item__containerEdits__intelRdt__schemata_len = len(data__devices_item__containerEdits__intelRdt__schemata)
                                                for data__devices_item__containerEdits__intelRdt__schemata_x, data__devices_item__containerEdits__intelRdt__schemata_item in enumerate(data__devices_item__containerEdits__intelRdt__schemata):
                                                    if not isinstance(data__devices_item__containerEdits__intelRdt__schemata_item, (str)):
                                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.intelRdt.schemata[{data__devices_item__containerEdits__intelRdt__schemata_x}]".format(**locals()) + " must be string")
                                        if "enableMonitoring" in data__devices_item__containerEdits__intelRdt_keys:
                                            data__devices_item__containerEdits__intelRdt_keys.remove("enableMonitoring")
                                            data__devices_item__containerEdits__intelRdt__enableMonitoring = data__devices_item__containerEdits__intelRdt["enableMonitoring"]
                                            if not isinstance(data__devices_item__containerEdits__intelRdt__enableMonitoring, (bool)):
                                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.intelRdt.enableMonitoring".format(**locals()) + " must be boolean")
                                        if data__devices_item__containerEdits__intelRdt_keys:
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.intelRdt".format(**locals()) + " must not contain "+str(data__devices_item__containerEdits__intelRdt_keys)+" properties")
                                if "additionalGids" in data__devices_item__containerEdits_keys:
                                    data__devices_item__containerEdits_keys.remove("additionalGids")
                                    data__devices_item__containerEdits__additionalGids = data__devices_item__containerEdits["additionalGids"]
                                    if not isinstance(data__devices_item__containerEdits__additionalGids, (list, tuple)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.additionalGids".format(**locals()) + " must be array")
                                    data__devices_item__containerEdits__additionalGids_is_list = isinstance(data__devices_item__containerEdits__additionalGids, (list, tuple))
                                    if data__devices_item__containerEdits__additionalGids_is_list:
                                        data__devices_item__containerEdits__additionalGids_len = len(data__devices_item__containerEdits__additionalGids)
                                        for data__devices_item__containerEdits__additionalGids_x, data__devices_item__containerEdits__additionalGids_item in enumerate(data__devices_item__containerEdits__additionalGids):
                                            if not isinstance(data__devices_item__containerEdits__additionalGids_item, (int)) and not (isinstance(data__devices_item__containerEdits__additionalGids_item, float) and data__devices_item__containerEdits__additionalGids_item.is_integer()) or isinstance(data__devices_item__containerEdits__additionalGids_item, bool):
                                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.additionalGids[{data__devices_item__containerEdits__additionalGids_x}]".format(**locals()) + " must be integer")
                                            if isinstance(data__devices_item__containerEdits__additionalGids_item, (int, float)) and not isinstance(data__devices_item__containerEdits__additionalGids_item, bool):
                                                if data__devices_item__containerEdits__additionalGids_item < 0:
                                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.additionalGids[{data__devices_item__containerEdits__additionalGids_x}]".format(**locals()) + " must be bigger than or equal to 0")
                                                if data__devices_item__containerEdits__additionalGids_item > 4294967295:
                                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits.additionalGids[{data__devices_item__containerEdits__additionalGids_x}]".format(**locals()) + " must be smaller than or equal to 4294967295")
                                if data__devices_item__containerEdits_keys:
                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}].containerEdits".format(**locals()) + " must not contain "+str(data__devices_item__containerEdits_keys)+" properties")
                        if data__devices_item_keys:
                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".devices[{data__devices_x}]".format(**locals()) + " must not contain "+str(data__devices_item_keys)+" properties")
        if "containerEdits" in data_keys:
            data_keys.remove("containerEdits")
            data__containerEdits = data["containerEdits"]
            if not isinstance(data__containerEdits, (dict)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits must be object")
            data__containerEdits_is_dict = isinstance(data__containerEdits, dict)
            if data__containerEdits_is_dict:
                data__containerEdits_keys = set(data__containerEdits.keys())
                if "env" in data__containerEdits_keys:
                    data__containerEdits_keys.remove("env")
                    data__containerEdits__env = data__containerEdits["env"]
                    if not isinstance(data__containerEdits__env, (list, tuple)):
                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.env must be array")
                    data__containerEdits__env_is_list = isinstance(data__containerEdits__env, (list, tuple))
                    if data__containerEdits__env_is_list:
                        data__containerEdits__env_len = len(data__containerEdits__env)
                        for data__containerEdits__env_x, data__containerEdits__env_item in enumerate(data__containerEdits__env):
                            if not isinstance(data__containerEdits__env_item, (str)):
                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.env[{data__containerEdits__env_x}]".format(**locals()) + " must be string")
                            if isinstance(data__containerEdits__env_item, str):
                                if not REGEX_PATTERNS['^[^=]+='].search(data__containerEdits__env_item):
                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.env[{data__containerEdits__env_x}]".format(**locals()) + " must match pattern ^[^=]+=")
                if "deviceNodes" in data__containerEdits_keys:
                    data__containerEdits_keys.remove("deviceNodes")
                    data__containerEdits__deviceNodes = data__containerEdits["deviceNodes"]
                    if not isinstance(data__containerEdits__deviceNodes, (list, tuple)):
                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes must be array")
                    data__containerEdits__deviceNodes_is_list = isinstance(data__containerEdits__deviceNodes, (list, tuple))
                    if data__containerEdits__deviceNodes_is_list:
                        data__containerEdits__deviceNodes_len = len(data__containerEdits__deviceNodes)
                        for data__containerEdits__deviceNodes_x, data__containerEdits__deviceNodes_item in enumerate(data__containerEdits__deviceNodes):
                            if not isinstance(data__containerEdits__deviceNodes_item, (dict)):
                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}]".format(**locals()) + " must be object")
                            data__containerEdits__deviceNodes_item_is_dict = isinstance(data__containerEdits__deviceNodes_item, dict)
                            if data__containerEdits__deviceNodes_item_is_dict:
                                data__containerEdits__deviceNodes_item__missing_keys = set(['path']) - data__containerEdits__deviceNodes_item.keys()
                                if data__containerEdits__deviceNodes_item__missing_keys:
                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}]".format(**locals()) + " must contain ")
                                data__containerEdits__deviceNodes_item_keys = set(data__containerEdits__deviceNodes_item.keys())
                                if "path" in data__containerEdits__deviceNodes_item_keys:
                                    data__containerEdits__deviceNodes_item_keys.remove("path")
                                    data__containerEdits__deviceNodes_item__path = data__containerEdits__deviceNodes_item["path"]
                                    if not isinstance(data__containerEdits__deviceNodes_item__path, (str)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].path".format(**locals()) + " must be string")
                                    if isinstance(data__containerEdits__deviceNodes_item__path, str):
                                        data__containerEdits__deviceNodes_item__path_len = len(data__containerEdits__deviceNodes_item__path)
                                        if data__containerEdits__deviceNodes_item__path_len < 1:
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].path".format(**locals()) + " must be longer than or equal to 1 characters")
                                if "hostPath" in data__containerEdits__deviceNodes_item_keys:
                                    data__containerEdits__deviceNodes_item_keys.remove("hostPath")
                                    data__containerEdits__deviceNodes_item__hostPath = data__containerEdits__deviceNodes_item["hostPath"]
                                    if not isinstance(data__containerEdits__deviceNodes_item__hostPath, (str)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].hostPath".format(**locals()) + " must be string")
                                if "type" in data__containerEdits__deviceNodes_item_keys:
                                    data__containerEdits__deviceNodes_item_keys.remove("type")
                                    data__containerEdits__deviceNodes_item__type = data__containerEdits__deviceNodes_item["type"]
                                    if not isinstance(data__containerEdits__deviceNodes_item__type, (str)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].type".format(**locals()) + " must be string")
                                    if not (isinstance(data__containerEdits__deviceNodes_item__type, str) and data__containerEdits__deviceNodes_item__type == '' or isinstance(data__containerEdits__deviceNodes_item__type, str) and data__containerEdits__deviceNodes_item__type == 'b' or isinstance(data__containerEdits__deviceNodes_item__type, str) and data__containerEdits__deviceNodes_item__type == 'c' or isinstance(data__containerEdits__deviceNodes_item__type, str) and data__containerEdits__deviceNodes_item__type == 'u' or isinstance(data__containerEdits__deviceNodes_item__type, str) and data__containerEdits__deviceNodes_item__type == 'p'):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].type".format(**locals()) + " must be one of ['', 'b', 'c', 'u', 'p']")
                                if "major" in data__containerEdits__deviceNodes_item_keys:
                                    data__containerEdits__deviceNodes_item_keys.remove("major")
                                    data__containerEdits__deviceNodes_item__major = data__containerEdits__deviceNodes_item["major"]
                                    if not isinstance(data__containerEdits__deviceNodes_item__major, (int)) and not (isinstance(data__containerEdits__deviceNodes_item__major, float) and data__containerEdits__deviceNodes_item__major.is_integer()) or isinstance(data__containerEdits__deviceNodes_item__major, bool):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].major".format(**locals()) + " must be integer")
                                    if isinstance(data__containerEdits__deviceNodes_item__major, (int, float)) and not isinstance(data__containerEdits__deviceNodes_item__major, bool):
                                        if data__containerEdits__deviceNodes_item__major < -9223372036854775808:
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].major".format(**locals()) + " must be bigger than or equal to -9223372036854775808")
                                        if data__containerEdits__deviceNodes_item__major > 9223372036854775807:
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].major".format(**locals()) + " must be smaller than or equal to 9223372036854775807")
                                if "minor" in data__containerEdits__deviceNodes_item_keys:
                                    data__containerEdits__deviceNodes_item_keys.remove("minor")
                                    data__containerEdits__deviceNodes_item__minor = data__containerEdits__deviceNodes_item["minor"]
                                    if not isinstance(data__containerEdits__deviceNodes_item__minor, (int)) and not (isinstance(data__containerEdits__deviceNodes_item__minor, float) and data__containerEdits__deviceNodes_item__minor.is_integer()) or isinstance(data__containerEdits__deviceNodes_item__minor, bool):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].minor".format(**locals()) + " must be integer")
                                    if isinstance(data__containerEdits__deviceNodes_item__minor, (int, float)) and not isinstance(data__containerEdits__deviceNodes_item__minor, bool):
                                        if data__containerEdits__deviceNodes_item__minor < -9223372036854775808:
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].minor".format(**locals()) + " must be bigger than or equal to -9223372036854775808")
                                        if data__containerEdits__deviceNodes_item__minor > 9223372036854775807:
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].minor".format(**locals()) + " must be smaller than or equal to 9223372036854775807")
                                if "fileMode" in data__containerEdits__deviceNodes_item_keys:
                                    data__containerEdits__deviceNodes_item_keys.remove("fileMode")
                                    data__containerEdits__deviceNodes_item__fileMode = data__containerEdits__deviceNodes_item["fileMode"]
                                    if not isinstance(data__containerEdits__deviceNodes_item__fileMode, (int)) and not (isinstance(data__containerEdits__deviceNodes_item__fileMode, float) and data__containerEdits__deviceNodes_item__fileMode.is_integer()) or isinstance(data__containerEdits__deviceNodes_item__fileMode, bool):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].fileMode".format(**locals()) + " must be integer")
                                    if isinstance(data__containerEdits__deviceNodes_item__fileMode, (int, float)) and not isinstance(data__containerEdits__deviceNodes_item__fileMode, bool):
                                        if data__containerEdits__deviceNodes_item__fileMode < 0:
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].fileMode".format(**locals()) + " must be bigger than or equal to 0")
                                        if data__containerEdits__deviceNodes_item__fileMode > 4294967295:
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].fileMode".format(**locals()) + " must be smaller than or equal to 4294967295")
                                if "permissions" in data__containerEdits__deviceNodes_item_keys:
                                    data__containerEdits__deviceNodes_item_keys.remove("permissions")
                                    data__containerEdits__deviceNodes_item__permissions = data__containerEdits__deviceNodes_item["permissions"]
                                    if not isinstance(data__containerEdits__deviceNodes_item__permissions, (str)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].permissions".format(**locals()) + " must be string")
                                    if isinstance(data__containerEdits__deviceNodes_item__permissions, str):
                                        if not REGEX_PATTERNS['^([rwm]*|none)$(?!\\n)'].search(data__containerEdits__deviceNodes_item__permissions):
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].permissions".format(**locals()) + " must match pattern ^([rwm]*|none)$(?!\\n)")
                                if "uid" in data__containerEdits__deviceNodes_item_keys:
                                    data__containerEdits__deviceNodes_item_keys.remove("uid")
                                    data__containerEdits__deviceNodes_item__uid = data__containerEdits__deviceNodes_item["uid"]
                                    if not isinstance(data__containerEdits__deviceNodes_item__uid, (int)) and not (isinstance(data__containerEdits__deviceNodes_item__uid, float) and data__containerEdits__deviceNodes_item__uid.is_integer()) or isinstance(data__containerEdits__deviceNodes_item__uid, bool):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].uid".format(**locals()) + " must be integer")
                                    if isinstance(data__containerEdits__deviceNodes_item__uid, (int, float)) and not isinstance(data__containerEdits__deviceNodes_item__uid, bool):
                                        if data__containerEdits__deviceNodes_item__uid < 0:
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].uid".format(**locals()) + " must be bigger than or equal to 0")
                                        if data__containerEdits__deviceNodes_item__uid > 4294967295:
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].uid".format(**locals()) + " must be smaller than or equal to 4294967295")
                                if "gid" in data__containerEdits__deviceNodes_item_keys:
                                    data__containerEdits__deviceNodes_item_keys.remove("gid")
                                    data__containerEdits__deviceNodes_item__gid = data__containerEdits__deviceNodes_item["gid"]
                                    if not isinstance(data__containerEdits__deviceNodes_item__gid, (int)) and not (isinstance(data__containerEdits__deviceNodes_item__gid, float) and data__containerEdits__deviceNodes_item__gid.is_integer()) or isinstance(data__containerEdits__deviceNodes_item__gid, bool):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].gid".format(**locals()) + " must be integer")
                                    if isinstance(data__containerEdits__deviceNodes_item__gid, (int, float)) and not isinstance(data__containerEdits__deviceNodes_item__gid, bool):
                                        if data__containerEdits__deviceNodes_item__gid < 0:
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].gid".format(**locals()) + " must be bigger than or equal to 0")
                                        if data__containerEdits__deviceNodes_item__gid > 4294967295:
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}].gid".format(**locals()) + " must be smaller than or equal to 4294967295")
                                if data__containerEdits__deviceNodes_item_keys:
                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.deviceNodes[{data__containerEdits__deviceNodes_x}]".format(**locals()) + " must not contain "+str(data__containerEdits__deviceNodes_item_keys)+" properties")
                if "netDevices" in data__containerEdits_keys:
                    data__containerEdits_keys.remove("netDevices")
                    data__containerEdits__netDevices = data__containerEdits["netDevices"]
                    if not isinstance(data__containerEdits__netDevices, (list, tuple)):
                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.netDevices must be array")
                    data__containerEdits__netDevices_is_list = isinstance(data__containerEdits__netDevices, (list, tuple))
                    if data__containerEdits__netDevices_is_list:
                        data__containerEdits__netDevices_len = len(data__containerEdits__netDevices)
                        for data__containerEdits__netDevices_x, data__containerEdits__netDevices_item in enumerate(data__containerEdits__netDevices):
                            if not isinstance(data__containerEdits__netDevices_item, (dict)):
                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.netDevices[{data__containerEdits__netDevices_x}]".format(**locals()) + " must be object")
                            data__containerEdits__netDevices_item_is_dict = isinstance(data__containerEdits__netDevices_item, dict)
                            if data__containerEdits__netDevices_item_is_dict:
                                data__containerEdits__netDevices_item__missing_keys = set(['hostInterfaceName', 'name']) - data__containerEdits__netDevices_item.keys()
                                if data__containerEdits__netDevices_item__missing_keys:
                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.netDevices[{data__containerEdits__netDevices_x}]".format(**locals()) + " must contain ")
                                data__containerEdits__netDevices_item_keys = set(data__containerEdits__netDevices_item.keys())
                                if "hostInterfaceName" in data__containerEdits__netDevices_item_keys:
                                    data__containerEdits__netDevices_item_keys.remove("hostInterfaceName")
                                    data__containerEdits__netDevices_item__hostInterfaceName = data__containerEdits__netDevices_item["hostInterfaceName"]
                                    if not isinstance(data__containerEdits__netDevices_item__hostInterfaceName, (str)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.netDevices[{data__containerEdits__netDevices_x}].hostInterfaceName".format(**locals()) + " must be string")
                                    if isinstance(data__containerEdits__netDevices_item__hostInterfaceName, str):
                                        data__containerEdits__netDevices_item__hostInterfaceName_len = len(data__containerEdits__netDevices_item__hostInterfaceName)
                                        if data__containerEdits__netDevices_item__hostInterfaceName_len < 1:
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.netDevices[{data__containerEdits__netDevices_x}].hostInterfaceName".format(**locals()) + " must be longer than or equal to 1 characters")
                                if "name" in data__containerEdits__netDevices_item_keys:
                                    data__containerEdits__netDevices_item_keys.remove("name")
                                    data__containerEdits__netDevices_item__name = data__containerEdits__netDevices_item["name"]
                                    if not isinstance(data__containerEdits__netDevices_item__name, (str)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.netDevices[{data__containerEdits__netDevices_x}].name".format(**locals()) + " must be string")
                                    if isinstance(data__containerEdits__netDevices_item__name, str):
                                        data__containerEdits__netDevices_item__name_len = len(data__containerEdits__netDevices_item__name)
                                        if data__containerEdits__netDevices_item__name_len < 1:
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.netDevices[{data__containerEdits__netDevices_x}].name".format(**locals()) + " must be longer than or equal to 1 characters")
                                if data__containerEdits__netDevices_item_keys:
                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.netDevices[{data__containerEdits__netDevices_x}]".format(**locals()) + " must not contain "+str(data__containerEdits__netDevices_item_keys)+" properties")
                if "hooks" in data__containerEdits_keys:
                    data__containerEdits_keys.remove("hooks")
                    data__containerEdits__hooks = data__containerEdits["hooks"]
                    if not isinstance(data__containerEdits__hooks, (list, tuple)):
                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.hooks must be array")
                    data__containerEdits__hooks_is_list = isinstance(data__containerEdits__hooks, (list, tuple))
                    if data__containerEdits__hooks_is_list:
                        data__containerEdits__hooks_len = len(data__containerEdits__hooks)
                        for data__containerEdits__hooks_x, data__containerEdits__hooks_item in enumerate(data__containerEdits__hooks):
                            if not isinstance(data__containerEdits__hooks_item, (dict)):
                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.hooks[{data__containerEdits__hooks_x}]".format(**locals()) + " must be object")
                            data__containerEdits__hooks_item_is_dict = isinstance(data__containerEdits__hooks_item, dict)
                            if data__containerEdits__hooks_item_is_dict:
                                data__containerEdits__hooks_item__missing_keys = set(['hookName', 'path']) - data__containerEdits__hooks_item.keys()
                                if data__containerEdits__hooks_item__missing_keys:
                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.hooks[{data__containerEdits__hooks_x}]".format(**locals()) + " must contain ")
                                data__containerEdits__hooks_item_keys = set(data__containerEdits__hooks_item.keys())
                                if "hookName" in data__containerEdits__hooks_item_keys:
                                    data__containerEdits__hooks_item_keys.remove("hookName")
                                    data__containerEdits__hooks_item__hookName = data__containerEdits__hooks_item["hookName"]
                                    if not isinstance(data__containerEdits__hooks_item__hookName, (str)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.hooks[{data__containerEdits__hooks_x}].hookName".format(**locals()) + " must be string")
                                    if not (isinstance(data__containerEdits__hooks_item__hookName, str) and data__containerEdits__hooks_item__hookName == 'prestart' or isinstance(data__containerEdits__hooks_item__hookName, str) and data__containerEdits__hooks_item__hookName == 'createRuntime' or isinstance(data__containerEdits__hooks_item__hookName, str) and data__containerEdits__hooks_item__hookName == 'createContainer' or isinstance(data__containerEdits__hooks_item__hookName, str) and data__containerEdits__hooks_item__hookName == 'startContainer' or isinstance(data__containerEdits__hooks_item__hookName, str) and data__containerEdits__hooks_item__hookName == 'poststart' or isinstance(data__containerEdits__hooks_item__hookName, str) and data__containerEdits__hooks_item__hookName == 'poststop'):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.hooks[{data__containerEdits__hooks_x}].hookName".format(**locals()) + " must be one of ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop']")
                                if "path" in data__containerEdits__hooks_item_keys:
                                    data__containerEdits__hooks_item_keys.remove("path")
                                    data__containerEdits__hooks_item__path = data__containerEdits__hooks_item["path"]
                                    if not isinstance(data__containerEdits__hooks_item__path, (str)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.hooks[{data__containerEdits__hooks_x}].path".format(**locals()) + " must be string")
                                    if isinstance(data__containerEdits__hooks_item__path, str):
                                        data__containerEdits__hooks_item__path_len = len(data__containerEdits__hooks_item__path)
                                        if data__containerEdits__hooks_item__path_len < 1:
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.hooks[{data__containerEdits__hooks_x}].path".format(**locals()) + " must be longer than or equal to 1 characters")
                                if "args" in data__containerEdits__hooks_item_keys:
                                    data__containerEdits__hooks_item_keys.remove("args")
                                    data__containerEdits__hooks_item__args = data__containerEdits__hooks_item["args"]
                                    if not isinstance(data__containerEdits__hooks_item__args, (list, tuple)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.hooks[{data__containerEdits__hooks_x}].args".format(**locals()) + " must be array")
                                    data__containerEdits__hooks_item__args_is_list = isinstance(data__containerEdits__hooks_item__args, (list, tuple))
                                    if data__containerEdits__hooks_item__args_is_list:
                                        data__containerEdits__hooks_item__args_len = len(data__containerEdits__hooks_item__args)
                                        for data__containerEdits__hooks_item__args_x, data__containerEdits__hooks_item__args_item in enumerate(data__containerEdits__hooks_item__args):
                                            if not isinstance(data__containerEdits__hooks_item__args_item, (str)):
                                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.hooks[{data__containerEdits__hooks_x}].args[{data__containerEdits__hooks_item__args_x}]".format(**locals()) + " must be string")
                                if "env" in data__containerEdits__hooks_item_keys:
                                    data__containerEdits__hooks_item_keys.remove("env")
                                    data__containerEdits__hooks_item__env = data__containerEdits__hooks_item["env"]
                                    if not isinstance(data__containerEdits__hooks_item__env, (list, tuple)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.hooks[{data__containerEdits__hooks_x}].env".format(**locals()) + " must be array")
                                    data__containerEdits__hooks_item__env_is_list = isinstance(data__containerEdits__hooks_item__env, (list, tuple))
                                    if data__containerEdits__hooks_item__env_is_list:
                                        data__containerEdits__hooks_item__env_len = len(data__containerEdits__hooks_item__env)
                                        for data__containerEdits__hooks_item__env_x, data__containerEdits__hooks_item__env_item in enumerate(data__containerEdits__hooks_item__env):
                                            if not isinstance(data__containerEdits__hooks_item__env_item, (str)):
                                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.hooks[{data__containerEdits__hooks_x}].env[{data__containerEdits__hooks_item__env_x}]".format(**locals()) + " must be string")
                                            if isinstance(data__containerEdits__hooks_item__env_item, str):
                                                if not REGEX_PATTERNS['^[^=]+='].search(data__containerEdits__hooks_item__env_item):
                                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.hooks[{data__containerEdits__hooks_x}].env[{data__containerEdits__hooks_item__env_x}]".format(**locals()) + " must match pattern ^[^=]+=")
                                if "timeout" in data__containerEdits__hooks_item_keys:
                                    data__containerEdits__hooks_item_keys.remove("timeout")
                                    data__containerEdits__hooks_item__timeout = data__containerEdits__hooks_item["timeout"]
                                    if not isinstance(data__containerEdits__hooks_item__timeout, (int)) and not (isinstance(data__containerEdits__hooks_item__timeout, float) and data__containerEdits__hooks_item__timeout.is_integer()) or isinstance(data__containerEdits__hooks_item__timeout, bool):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.hooks[{data__containerEdits__hooks_x}].timeout".format(**locals()) + " must be integer")
                                    if isinstance(data__containerEdits__hooks_item__timeout, (int, float)) and not isinstance(data__containerEdits__hooks_item__timeout, bool):
                                        if data__containerEdits__hooks_item__timeout < -9223372036854775808:
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.hooks[{data__containerEdits__hooks_x}].timeout".format(**locals()) + " must be bigger than or equal to -9223372036854775808")
                                        if data__containerEdits__hooks_item__timeout > 9223372036854775807:
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.hooks[{data__containerEdits__hooks_x}].timeout".format(**locals()) + " must be smaller than or equal to 9223372036854775807")
                                if data__containerEdits__hooks_item_keys:
                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.hooks[{data__containerEdits__hooks_x}]".format(**locals()) + " must not contain "+str(data__containerEdits__hooks_item_keys)+" properties")
                if "mounts" in data__containerEdits_keys:
                    data__containerEdits_keys.remove("mounts")
                    data__containerEdits__mounts = data__containerEdits["mounts"]
                    if not isinstance(data__containerEdits__mounts, (list, tuple)):
                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.mounts must be array")
                    data__containerEdits__mounts_is_list = isinstance(data__containerEdits__mounts, (list, tuple))
                    if data__containerEdits__mounts_is_list:
                        data__containerEdits__mounts_len = len(data__containerEdits__mounts)
                        for data__containerEdits__mounts_x, data__containerEdits__mounts_item in enumerate(data__containerEdits__mounts):
                            if not isinstance(data__containerEdits__mounts_item, (dict)):
                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.mounts[{data__containerEdits__mounts_x}]".format(**locals()) + " must be object")
                            data__containerEdits__mounts_item_is_dict = isinstance(data__containerEdits__mounts_item, dict)
                            if data__containerEdits__mounts_item_is_dict:
                                data__containerEdits__mounts_item__missing_keys = set(['hostPath', 'containerPath']) - data__containerEdits__mounts_item.keys()
                                if data__containerEdits__mounts_item__missing_keys:
                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.mounts[{data__containerEdits__mounts_x}]".format(**locals()) + " must contain ")
                                data__containerEdits__mounts_item_keys = set(data__containerEdits__mounts_item.keys())
                                if "hostPath" in data__containerEdits__mounts_item_keys:
                                    data__containerEdits__mounts_item_keys.remove("hostPath")
                                    data__containerEdits__mounts_item__hostPath = data__containerEdits__mounts_item["hostPath"]
                                    if not isinstance(data__containerEdits__mounts_item__hostPath, (str)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.mounts[{data__containerEdits__mounts_x}].hostPath".format(**locals()) + " must be string")
                                    if isinstance(data__containerEdits__mounts_item__hostPath, str):
                                        data__containerEdits__mounts_item__hostPath_len = len(data__containerEdits__mounts_item__hostPath)
                                        if data__containerEdits__mounts_item__hostPath_len < 1:
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.mounts[{data__containerEdits__mounts_x}].hostPath".format(**locals()) + " must be longer than or equal to 1 characters")
                                if "containerPath" in data__containerEdits__mounts_item_keys:
                                    data__containerEdits__mounts_item_keys.remove("containerPath")
                                    data__containerEdits__mounts_item__containerPath = data__containerEdits__mounts_item["containerPath"]
                                    if not isinstance(data__containerEdits__mounts_item__containerPath, (str)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.mounts[{data__containerEdits__mounts_x}].containerPath".format(**locals()) + " must be string")
                                    if isinstance(data__containerEdits__mounts_item__containerPath, str):
                                        data__containerEdits__mounts_item__containerPath_len = len(data__containerEdits__mounts_item__containerPath)
                                        if data__containerEdits__mounts_item__containerPath_len < 1:
                                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.mounts[{data__containerEdits__mounts_x}].containerPath".format(**locals()) + " must be longer than or equal to 1 characters")
                                if "options" in data__containerEdits__mounts_item_keys:
                                    data__containerEdits__mounts_item_keys.remove("options")
                                    data__containerEdits__mounts_item__options = data__containerEdits__mounts_item["options"]
                                    if not isinstance(data__containerEdits__mounts_item__options, (list, tuple)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.mounts[{data__containerEdits__mounts_x}].options".format(**locals()) + " must be array")
                                    data__containerEdits__mounts_item__options_is_list = isinstance(data__containerEdits__mounts_item__options, (list, tuple))
                                    if data__containerEdits__mounts_item__options_is_list:
                                        data__containerEdits__mounts_item__options_len = len(data__containerEdits__mounts_item__options)
                                        for data__containerEdits__mounts_item__options_x, data__containerEdits__mounts_item__options_item in enumerate(data__containerEdits__mounts_item__options):
                                            if not isinstance(data__containerEdits__mounts_item__options_item, (str)):
                                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.mounts[{data__containerEdits__mounts_x}].options[{data__containerEdits__mounts_item__options_x}]".format(**locals()) + " must be string")
                                if "type" in data__containerEdits__mounts_item_keys:
                                    data__containerEdits__mounts_item_keys.remove("type")
                                    data__containerEdits__mounts_item__type = data__containerEdits__mounts_item["type"]
                                    if not isinstance(data__containerEdits__mounts_item__type, (str)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.mounts[{data__containerEdits__mounts_x}].type".format(**locals()) + " must be string")
                                if data__containerEdits__mounts_item_keys:
                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.mounts[{data__containerEdits__mounts_x}]".format(**locals()) + " must not contain "+str(data__containerEdits__mounts_item_keys)+" properties")
                if "intelRdt" in data__containerEdits_keys:
                    data__containerEdits_keys.remove("intelRdt")
                    data__containerEdits__intelRdt = data__containerEdits["intelRdt"]
                    if not isinstance(data__containerEdits__intelRdt, (dict)):
                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.intelRdt must be object")
                    data__containerEdits__intelRdt_is_dict = isinstance(data__containerEdits__intelRdt, dict)
                    if data__containerEdits__intelRdt_is_dict:
                        data__containerEdits__intelRdt_keys = set(data__containerEdits__intelRdt.keys())
                        if "closID" in data__containerEdits__intelRdt_keys:
                            data__containerEdits__intelRdt_keys.remove("closID")
                            data__containerEdits__intelRdt__closID = data__containerEdits__intelRdt["closID"]
                            if not isinstance(data__containerEdits__intelRdt__closID, (str)):
                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.intelRdt.closID must be string")
                            if isinstance(data__containerEdits__intelRdt__closID, str):
                                if not REGEX_PATTERNS['^(/|(?!\\.{1,2}$(?!\\n))[^/\\n]*)$(?!\\n)'].search(data__containerEdits__intelRdt__closID):
                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.intelRdt.closID must match pattern ^(/|(?!\\.{1,2}$(?!\\n))[^/\\n]*)$(?!\\n)")
                        if "l3CacheSchema" in data__containerEdits__intelRdt_keys:
                            data__containerEdits__intelRdt_keys.remove("l3CacheSchema")
                            data__containerEdits__intelRdt__l3CacheSchema = data__containerEdits__intelRdt["l3CacheSchema"]
                            if not isinstance(data__containerEdits__intelRdt__l3CacheSchema, (str)):
                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.intelRdt.l3CacheSchema must be string")
                        if "memBwSchema" in data__containerEdits__intelRdt_keys:
                            data__containerEdits__intelRdt_keys.remove("memBwSchema")
                            data__containerEdits__intelRdt__memBwSchema = data__containerEdits__intelRdt["memBwSchema"]
                            if not isinstance(data__containerEdits__intelRdt__memBwSchema, (str)):
                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.intelRdt.memBwSchema must be string")
                        if "schemata" in data__containerEdits__intelRdt_keys:
                            data__containerEdits__intelRdt_keys.remove("schemata")
                            data__containerEdits__intelRdt__schemata = data__containerEdits__intelRdt["schemata"]
                            if not isinstance(data__containerEdits__intelRdt__schemata, (list, tuple)):
                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.intelRdt.schemata must be array")
                            data__containerEdits__intelRdt__schemata_is_list = isinstance(data__containerEdits__intelRdt__schemata, (list, tuple))
                            if data__containerEdits__intelRdt__schemata_is_list:
                                data__containerEdits__intelRdt__schemata_len = len(data__containerEdits__intelRdt__schemata)
                                for data__containerEdits__intelRdt__schemata_x, data__containerEdits__intelRdt__schemata_item in enumerate(data__containerEdits__intelRdt__schemata):
                                    if not isinstance(data__containerEdits__intelRdt__schemata_item, (str)):
                                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.intelRdt.schemata[{data__containerEdits__intelRdt__schemata_x}]".format(**locals()) + " must be string")
                        if "enableMonitoring" in data__containerEdits__intelRdt_keys:
                            data__containerEdits__intelRdt_keys.remove("enableMonitoring")
                            data__containerEdits__intelRdt__enableMonitoring = data__containerEdits__intelRdt["enableMonitoring"]
                            if not isinstance(data__containerEdits__intelRdt__enableMonitoring, (bool)):
                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.intelRdt.enableMonitoring must be boolean")
                        if data__containerEdits__intelRdt_keys:
                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.intelRdt must not contain "+str(data__containerEdits__intelRdt_keys)+" properties")
                if "additionalGids" in data__containerEdits_keys:
                    data__containerEdits_keys.remove("additionalGids")
                    data__containerEdits__additionalGids = data__containerEdits["additionalGids"]
                    if not isinstance(data__containerEdits__additionalGids, (list, tuple)):
                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.additionalGids must be array")
                    data__containerEdits__additionalGids_is_list = isinstance(data__containerEdits__additionalGids, (list, tuple))
                    if data__containerEdits__additionalGids_is_list:
                        data__containerEdits__additionalGids_len = len(data__containerEdits__additionalGids)
                        for data__containerEdits__additionalGids_x, data__containerEdits__additionalGids_item in enumerate(data__containerEdits__additionalGids):
                            if not isinstance(data__containerEdits__additionalGids_item, (int)) and not (isinstance(data__containerEdits__additionalGids_item, float) and data__containerEdits__additionalGids_item.is_integer()) or isinstance(data__containerEdits__additionalGids_item, bool):
                                raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.additionalGids[{data__containerEdits__additionalGids_x}]".format(**locals()) + " must be integer")
                            if isinstance(data__containerEdits__additionalGids_item, (int, float)) and not isinstance(data__containerEdits__additionalGids_item, bool):
                                if data__containerEdits__additionalGids_item < 0:
                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.additionalGids[{data__containerEdits__additionalGids_x}]".format(**locals()) + " must be bigger than or equal to 0")
                                if data__containerEdits__additionalGids_item > 4294967295:
                                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits.additionalGids[{data__containerEdits__additionalGids_x}]".format(**locals()) + " must be smaller than or equal to 4294967295")
                if data__containerEdits_keys:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerEdits must not contain "+str(data__containerEdits_keys)+" properties")
        if data_keys:
            raise JsonSchemaValueException("" + (name_prefix or "data") + " must not contain "+str(data_keys)+" properties")
    return data
