"""Made by tests.cdi.generate from the schema; never edited."""
# ruff: noqa
# fmt: off
# mypy: ignore-errors
VERSION = "2.22.3"
import re
class JsonSchemaValueException(ValueError):
    pass


REGEX_PATTERNS = {
    '^[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]/[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]$(?!\\n)': re.compile('^[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]/[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]\\Z(?!\\n)'),
    '^[^=]+=': re.compile('^[^=]+='),
    '^(/|(?!\\.{1,2}$(?!\\n))[^/\\n]*)$(?!\\n)': re.compile('^(/|(?!\\.{1,2}\\Z(?!\\n))[^/\\n]*)\\Z(?!\\n)'),
    '^([rwm]*|none)$(?!\\n)': re.compile('^([rwm]*|none)\\Z(?!\\n)'),
    '^[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?$(?!\\n)': re.compile('^[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?\\Z(?!\\n)')
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
                    validate___definitions_device(data__devices_item, custom_formats, (name_prefix or "data") + ".devices[{data__devices_x}]".format(**locals()))
        if "containerEdits" in data_keys:
            data_keys.remove("containerEdits")
            data__containerEdits = data["containerEdits"]
            validate___definitions_containeredits(data__containerEdits, custom_formats, (name_prefix or "data") + ".containerEdits")
        if data_keys:
            raise JsonSchemaValueException("" + (name_prefix or "data") + " must not contain "+str(data_keys)+" properties")
    return data

def validate___definitions_containeredits(data, custom_formats={}, name_prefix=None):
    if not isinstance(data, (dict)):
        raise JsonSchemaValueException("" + (name_prefix or "data") + " must be object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data_keys = set(data.keys())
        if "env" in data_keys:
            data_keys.remove("env")
            data__env = data["env"]
            if not isinstance(data__env, (list, tuple)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".env must be array")
            data__env_is_list = isinstance(data__env, (list, tuple))
            if data__env_is_list:
                data__env_len = len(data__env)
                for data__env_x, data__env_item in enumerate(data__env):
                    if not isinstance(data__env_item, (str)):
                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".env[{data__env_x}]".format(**locals()) + " must be string")
                    if isinstance(data__env_item, str):
                        if not REGEX_PATTERNS['^[^=]+='].search(data__env_item):
                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".env[{data__env_x}]".format(**locals()) + " must match pattern ^[^=]+=")
        if "deviceNodes" in data_keys:
            data_keys.remove("deviceNodes")
            data__deviceNodes = data["deviceNodes"]
            if not isinstance(data__deviceNodes, (list, tuple)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".deviceNodes must be array")
            data__deviceNodes_is_list = isinstance(data__deviceNodes, (list, tuple))
            if data__deviceNodes_is_list:
                data__deviceNodes_len = len(data__deviceNodes)
                for data__deviceNodes_x, data__deviceNodes_item in enumerate(data__deviceNodes):
                    validate___definitions_devicenode(data__deviceNodes_item, custom_formats, (name_prefix or "data") + ".deviceNodes[{data__deviceNodes_x}]".format(**locals()))
        if "netDevices" in data_keys:
            data_keys.remove("netDevices")
            data__netDevices = data["netDevices"]
            if not isinstance(data__netDevices, (list, tuple)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".netDevices must be array")
            data__netDevices_is_list = isinstance(data__netDevices, (list, tuple))
            if data__netDevices_is_list:
                data__netDevices_len = len(data__netDevices)
                for data__netDevices_x, data__netDevices_item in enumerate(data__netDevices):
                    validate___definitions_netdevice(data__netDevices_item, custom_formats, (name_prefix or "data") + ".netDevices[{data__netDevices_x}]".format(**locals()))
        if "hooks" in data_keys:
            data_keys.remove("hooks")
            data__hooks = data["hooks"]
            if not isinstance(data__hooks, (list, tuple)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".hooks must be array")
            data__hooks_is_list = isinstance(data__hooks, (list, tuple))
            if data__hooks_is_list:
                data__hooks_len = len(data__hooks)
                for data__hooks_x, data__hooks_item in enumerate(data__hooks):
                    validate___definitions_hook(data__hooks_item, custom_formats, (name_prefix or "data") + ".hooks[{data__hooks_x}]".format(**locals()))
        if "mounts" in data_keys:
            data_keys.remove("mounts")
            data__mounts = data["mounts"]
            if not isinstance(data__mounts, (list, tuple)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".mounts must be array")
            data__mounts_is_list = isinstance(data__mounts, (list, tuple))
            if data__mounts_is_list:
                data__mounts_len = len(data__mounts)
                for data__mounts_x, data__mounts_item in enumerate(data__mounts):
                    validate___definitions_mount(data__mounts_item, custom_formats, (name_prefix or "data") + ".mounts[{data__mounts_x}]".format(**locals()))
        if "intelRdt" in data_keys:
            data_keys.remove("intelRdt")
            data__intelRdt = data["intelRdt"]
            validate___definitions_intelrdt(data__intelRdt, custom_formats, (name_prefix or "data") + ".intelRdt")
        if "additionalGids" in data_keys:
            data_keys.remove("additionalGids")
            data__additionalGids = data["additionalGids"]
            if not isinstance(data__additionalGids, (list, tuple)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".additionalGids must be array")
            data__additionalGids_is_list = isinstance(data__additionalGids, (list, tuple))
            if data__additionalGids_is_list:
                data__additionalGids_len = len(data__additionalGids)
                for data__additionalGids_x, data__additionalGids_item in enumerate(data__additionalGids):
                    if not isinstance(data__additionalGids_item, (int)) and not (isinstance(data__additionalGids_item, float) and data__additionalGids_item.is_integer()) or isinstance(data__additionalGids_item, bool):
                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".additionalGids[{data__additionalGids_x}]".format(**locals()) + " must be integer")
                    if isinstance(data__additionalGids_item, (int, float)) and not isinstance(data__additionalGids_item, bool):
                        if data__additionalGids_item < 0:
                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".additionalGids[{data__additionalGids_x}]".format(**locals()) + " must be bigger than or equal to 0")
                        if data__additionalGids_item > 4294967295:
                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".additionalGids[{data__additionalGids_x}]".format(**locals()) + " must be smaller than or equal to 4294967295")
        if data_keys:
            raise JsonSchemaValueException("" + (name_prefix or "data") + " must not contain "+str(data_keys)+" properties")
    return data

def validate___definitions_intelrdt(data, custom_formats={}, name_prefix=None):
    if not isinstance(data, (dict)):
        raise JsonSchemaValueException("" + (name_prefix or "data") + " must be object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data_keys = set(data.keys())
        if "closID" in data_keys:
            data_keys.remove("closID")
            data__closID = data["closID"]
            if not isinstance(data__closID, (str)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".closID must be string")
            if isinstance(data__closID, str):
                if not REGEX_PATTERNS['^(/|(?!\\.{1,2}$(?!\\n))[^/\\n]*)$(?!\\n)'].search(data__closID):
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".closID must match pattern ^(/|(?!\\.{1,2}$(?!\\n))[^/\\n]*)$(?!\\n)")
        if "l3CacheSchema" in data_keys:
            data_keys.remove("l3CacheSchema")
            data__l3CacheSchema = data["l3CacheSchema"]
            if not isinstance(data__l3CacheSchema, (str)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".l3CacheSchema must be string")
        if "memBwSchema" in data_keys:
            data_keys.remove("memBwSchema")
            data__memBwSchema = data["memBwSchema"]
            if not isinstance(data__memBwSchema, (str)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".memBwSchema must be string")
        if "schemata" in data_keys:
            data_keys.remove("schemata")
            data__schemata = data["schemata"]
            if not isinstance(data__schemata, (list, tuple)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".schemata must be array")
            data__schemata_is_list = isinstance(data__schemata, (list, tuple))
            if data__schemata_is_list:
                data__schemata_len = len(data__schemata)
                for data__schemata_x, data__schemata_item in enumerate(data__schemata):
                    if not isinstance(data__schemata_item, (str)):
                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".schemata[{data__schemata_x}]".format(**locals()) + " must be string")
        if "enableMonitoring" in data_keys:
            data_keys.remove("enableMonitoring")
            data__enableMonitoring = data["enableMonitoring"]
            if not isinstance(data__enableMonitoring, (bool)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".enableMonitoring must be boolean")
        if data_keys:
            raise JsonSchemaValueException("" + (name_prefix or "data") + " must not contain "+str(data_keys)+" properties")
    return data

def validate___definitions_mount(data, custom_formats={}, name_prefix=None):
    if not isinstance(data, (dict)):
        raise JsonSchemaValueException("" + (name_prefix or "data") + " must be object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(['hostPath', 'containerPath']) - data.keys()
        if data__missing_keys:
            raise JsonSchemaValueException("" + (name_prefix or "data") + " must contain ")
        data_keys = set(data.keys())
        if "hostPath" in data_keys:
            data_keys.remove("hostPath")
            data__hostPath = data["hostPath"]
            if not isinstance(data__hostPath, (str)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".hostPath must be string")
            if isinstance(data__hostPath, str):
                data__hostPath_len = len(data__hostPath)
                if data__hostPath_len < 1:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".hostPath must be longer than or equal to 1 characters")
        if "containerPath" in data_keys:
            data_keys.remove("containerPath")
            data__containerPath = data["containerPath"]
            if not isinstance(data__containerPath, (str)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerPath must be string")
            if isinstance(data__containerPath, str):
                data__containerPath_len = len(data__containerPath)
                if data__containerPath_len < 1:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".containerPath must be longer than or equal to 1 characters")
        if "options" in data_keys:
            data_keys.remove("options")
            data__options = data["options"]
            if not isinstance(data__options, (list, tuple)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".options must be array")
            data__options_is_list = isinstance(data__options, (list, tuple))
            if data__options_is_list:
                data__options_len = len(data__options)
                for data__options_x, data__options_item in enumerate(data__options):
                    if not isinstance(data__options_item, (str)):
                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".options[{data__options_x}]".format(**locals()) + " must be string")
        if "type" in data_keys:
            data_keys.remove("type")
            data__type = data["type"]
            if not isinstance(data__type, (str)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".type must be string")
        if data_keys:
            raise JsonSchemaValueException("" + (name_prefix or "data") + " must not contain "+str(data_keys)+" properties")
    return data

def validate___definitions_hook(data, custom_formats={}, name_prefix=None):
    if not isinstance(data, (dict)):
        raise JsonSchemaValueException("" + (name_prefix or "data") + " must be object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(['hookName', 'path']) - data.keys()
        if data__missing_keys:
            raise JsonSchemaValueException("" + (name_prefix or "data") + " must contain ")
        data_keys = set(data.keys())
        if "hookName" in data_keys:
            data_keys.remove("hookName")
            data__hookName = data["hookName"]
            if not isinstance(data__hookName, (str)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".hookName must be string")
            if not (isinstance(data__hookName, str) and data__hookName == 'prestart' or isinstance(data__hookName, str) and data__hookName == 'createRuntime' or isinstance(data__hookName, str) and data__hookName == 'createContainer' or isinstance(data__hookName, str) and data__hookName == 'startContainer' or isinstance(data__hookName, str) and data__hookName == 'poststart' or isinstance(data__hookName, str) and data__hookName == 'poststop'):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".hookName must be one of ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop']")
        if "path" in data_keys:
            data_keys.remove("path")
            data__path = data["path"]
            if not isinstance(data__path, (str)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".path must be string")
            if isinstance(data__path, str):
                data__path_len = len(data__path)
                if data__path_len < 1:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".path must be longer than or equal to 1 characters")
        if "args" in data_keys:
            data_keys.remove("args")
            data__args = data["args"]
            if not isinstance(data__args, (list, tuple)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".args must be array")
            data__args_is_list = isinstance(data__args, (list, tuple))
            if data__args_is_list:
                data__args_len = len(data__args)
                for data__args_x, data__args_item in enumerate(data__args):
                    if not isinstance(data__args_item, (str)):
                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".args[{data__args_x}]".format(**locals()) + " must be string")
        if "env" in data_keys:
            data_keys.remove("env")
            data__env = data["env"]
            if not isinstance(data__env, (list, tuple)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".env must be array")
            data__env_is_list = isinstance(data__env, (list, tuple))
            if data__env_is_list:
                data__env_len = len(data__env)
                for data__env_x, data__env_item in enumerate(data__env):
                    if not isinstance(data__env_item, (str)):
                        raise JsonSchemaValueException("" + (name_prefix or "data") + ".env[{data__env_x}]".format(**locals()) + " must be string")
                    if isinstance(data__env_item, str):
                        if not REGEX_PATTERNS['^[^=]+='].search(data__env_item):
                            raise JsonSchemaValueException("" + (name_prefix or "data") + ".env[{data__env_x}]".format(**locals()) + " must match pattern ^[^=]+=")
        if "timeout" in data_keys:
            data_keys.remove("timeout")
            data__timeout = data["timeout"]
            if not isinstance(data__timeout, (int)) and not (isinstance(data__timeout, float) and data__timeout.is_integer()) or isinstance(data__timeout, bool):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".timeout must be integer")
            if isinstance(data__timeout, (int, float)) and not isinstance(data__timeout, bool):
                if data__timeout < -9223372036854775808:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".timeout must be bigger than or equal to -9223372036854775808")
                if data__timeout > 9223372036854775807:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".timeout must be smaller than or equal to 9223372036854775807")
        if data_keys:
            raise JsonSchemaValueException("" + (name_prefix or "data") + " must not contain "+str(data_keys)+" properties")
    return data

def validate___definitions_netdevice(data, custom_formats={}, name_prefix=None):
    if not isinstance(data, (dict)):
        raise JsonSchemaValueException("" + (name_prefix or "data") + " must be object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(['hostInterfaceName', 'name']) - data.keys()
        if data__missing_keys:
            raise JsonSchemaValueException("" + (name_prefix or "data") + " must contain ")
        data_keys = set(data.keys())
        if "hostInterfaceName" in data_keys:
            data_keys.remove("hostInterfaceName")
            data__hostInterfaceName = data["hostInterfaceName"]
            if not isinstance(data__hostInterfaceName, (str)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".hostInterfaceName must be string")
            if isinstance(data__hostInterfaceName, str):
                data__hostInterfaceName_len = len(data__hostInterfaceName)
                if data__hostInterfaceName_len < 1:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".hostInterfaceName must be longer than or equal to 1 characters")
        if "name" in data_keys:
            data_keys.remove("name")
            data__name = data["name"]
            if not isinstance(data__name, (str)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".name must be string")
            if isinstance(data__name, str):
                data__name_len = len(data__name)
                if data__name_len < 1:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".name must be longer than or equal to 1 characters")
        if data_keys:
            raise JsonSchemaValueException("" + (name_prefix or "data") + " must not contain "+str(data_keys)+" properties")
    return data

def validate___definitions_devicenode(data, custom_formats={}, name_prefix=None):
    if not isinstance(data, (dict)):
        raise JsonSchemaValueException("" + (name_prefix or "data") + " must be object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(['path']) - data.keys()
        if data__missing_keys:
            raise JsonSchemaValueException("" + (name_prefix or "data") + " must contain ")
        data_keys = set(data.keys())
        if "path" in data_keys:
            data_keys.remove("path")
            data__path = data["path"]
            if not isinstance(data__path, (str)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".path must be string")
            if isinstance(data__path, str):
                data__path_len = len(data__path)
                if data__path_len < 1:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".path must be longer than or equal to 1 characters")
        if "hostPath" in data_keys:
            data_keys.remove("hostPath")
            data__hostPath = data["hostPath"]
            if not isinstance(data__hostPath, (str)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".hostPath must be string")
        if "type" in data_keys:
            data_keys.remove("type")
            data__type = data["type"]
            if not isinstance(data__type, (str)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".type must be string")
            if not (isinstance(data__type, str) and data__type == '' or isinstance(data__type, str) and data__type == 'b' or isinstance(data__type, str) and data__type == 'c' or isinstance(data__type, str) and data__type == 'u' or isinstance(data__type, str) and data__type == 'p'):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".type must be one of ['', 'b', 'c', 'u', 'p']")
        if "major" in data_keys:
            data_keys.remove("major")
            data__major = data["major"]
            if not isinstance(data__major, (int)) and not (isinstance(data__major, float) and data__major.is_integer()) or isinstance(data__major, bool):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".major must be integer")
            if isinstance(data__major, (int, float)) and not isinstance(data__major, bool):
                if data__major < -9223372036854775808:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".major must be bigger than or equal to -9223372036854775808")
                if data__major > 9223372036854775807:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".major must be smaller than or equal to 9223372036854775807")
        if "minor" in data_keys:
            data_keys.remove("minor")
            data__minor = data["minor"]
            if not isinstance(data__minor, (int)) and not (isinstance(data__minor, float) and data__minor.is_integer()) or isinstance(data__minor, bool):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".minor must be integer")
            if isinstance(data__minor, (int, float)) and not isinstance(data__minor, bool):
                if data__minor < -9223372036854775808:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".minor must be bigger than or equal to -9223372036854775808")
                if data__minor > 9223372036854775807:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".minor must be smaller than or equal to 9223372036854775807")
        if "fileMode" in data_keys:
            data_keys.remove("fileMode")
            data__fileMode = data["fileMode"]
            if not isinstance(data__fileMode, (int)) and not (isinstance(data__fileMode, float) and data__fileMode.is_integer()) or isinstance(data__fileMode, bool):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".fileMode must be integer")
            if isinstance(data__fileMode, (int, float)) and not isinstance(data__fileMode, bool):
                if data__fileMode < 0:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".fileMode must be bigger than or equal to 0")
                if data__fileMode > 4294967295:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".fileMode must be smaller than or equal to 4294967295")
        if "permissions" in data_keys:
            data_keys.remove("permissions")
            data__permissions = data["permissions"]
            if not isinstance(data__permissions, (str)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".permissions must be string")
            if isinstance(data__permissions, str):
                if not REGEX_PATTERNS['^([rwm]*|none)$(?!\\n)'].search(data__permissions):
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".permissions must match pattern ^([rwm]*|none)$(?!\\n)")
        if "uid" in data_keys:
            data_keys.remove("uid")
            data__uid = data["uid"]
            if not isinstance(data__uid, (int)) and not (isinstance(data__uid, float) and data__uid.is_integer()) or isinstance(data__uid, bool):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".uid must be integer")
            if isinstance(data__uid, (int, float)) and not isinstance(data__uid, bool):
                if data__uid < 0:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".uid must be bigger than or equal to 0")
                if data__uid > 4294967295:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".uid must be smaller than or equal to 4294967295")
        if "gid" in data_keys:
            data_keys.remove("gid")
            data__gid = data["gid"]
            if not isinstance(data__gid, (int)) and not (isinstance(data__gid, float) and data__gid.is_integer()) or isinstance(data__gid, bool):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".gid must be integer")
            if isinstance(data__gid, (int, float)) and not isinstance(data__gid, bool):
                if data__gid < 0:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".gid must be bigger than or equal to 0")
                if data__gid > 4294967295:
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".gid must be smaller than or equal to 4294967295")
        if data_keys:
            raise JsonSchemaValueException("" + (name_prefix or "data") + " must not contain "+str(data_keys)+" properties")
    return data

def validate___definitions_device(data, custom_formats={}, name_prefix=None):
    if not isinstance(data, (dict)):
        raise JsonSchemaValueException("" + (name_prefix or "data") + " must be object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(['name', 'containerEdits']) - data.keys()
        if data__missing_keys:
            raise JsonSchemaValueException("" + (name_prefix or "data") + " must contain ")
        data_keys = set(data.keys())
        if "name" in data_keys:
            data_keys.remove("name")
            data__name = data["name"]
            if not isinstance(data__name, (str)):
                raise JsonSchemaValueException("" + (name_prefix or "data") + ".name must be string")
            if isinstance(data__name, str):
                if not REGEX_PATTERNS['^[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?$(?!\\n)'].search(data__name):
                    raise JsonSchemaValueException("" + (name_prefix or "data") + ".name must match pattern ^[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?$(?!\\n)")
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
        if "containerEdits" in data_keys:
            data_keys.remove("containerEdits")
            data__containerEdits = data["containerEdits"]
            validate___definitions_containeredits(data__containerEdits, custom_formats, (name_prefix or "data") + ".containerEdits")
        if data_keys:
            raise JsonSchemaValueException("" + (name_prefix or "data") + " must not contain "+str(data_keys)+" properties")
    return data
