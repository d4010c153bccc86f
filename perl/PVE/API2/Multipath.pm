package PVE::API2::Multipath;

# /cluster/multipath: the cluster's multipath configuration and health.

use v5.36;

use PVE::Exception qw(raise raise_param_exc);
use PVE::JSONSchema qw(get_standard_option);

use PVE::Multipath;
use PVE::Multipath::ClusterConfig;
use PVE::Multipath::Config;
use PVE::Multipath::Schema;
use PVE::Multipath::Source;
use PVE::Multipath::Text qw(characters decode_texts);
use PVE::Multipath::Uses;
use PVE::RESTHandler;

use base qw(PVE::RESTHandler);

my $audit = { check => ['perm', '/', ['Sys.Audit']] };
my $modify = { check => ['perm', '/', ['Sys.Modify']] };

my $digest = get_standard_option('pve-config-digest');
my $nothing = { type => 'null' };

my $delete = {
    type => 'string',
    format => 'pve-configid-list',
    optional => 1,
    description => 'The properties to delete, separated by commas, semicolons or blanks.',
};

# In bytes. A form may have three times as many, and pveproxy accepts 512 KiB.
my $MAX_TEXT_LENGTH = 128 * 1024;

my $text = {
    type => 'string',
    maxLength => $MAX_TEXT_LENGTH, # in characters
    description => 'Text for multipath.conf, at most 128 KiB as UTF-8.',
};

my $section_id = {
    type => 'string',
    description => "The ID of a section of type 'wwid', which need not be a valid WWID.",
    typetext => '<WWID>',
};

my $lun = {
    wwid => PVE::Multipath::Schema::wwid(),
    PVE::Multipath::Schema::lun()->%*,
};

my $findings = {
    type => 'array',
    description => 'The findings in the text, in its order.',
    items => PVE::Multipath::Schema::finding(),
};

# The properties that a request sets: its parameters, without those that control it.
my sub properties($param) {
    my %set = %$param;
    delete @set{qw(wwid delete digest)};
    return \%set;
}

# Texts are characters in the API and bytes in files.
my sub text_bytes($characters) {
    my $bytes = $characters;
    utf8::encode($bytes);
    my $length = length($bytes);
    raise_param_exc({ text => "it has $length bytes, at most $MAX_TEXT_LENGTH are possible" })
        if $length > $MAX_TEXT_LENGTH;
    return $bytes;
}

# Finds the ID of a section, which is bytes in the file. A parameter is characters, or bytes if it
# was in the path of the URL; an ID that is not UTF-8 was shown as a character for each byte.
my sub section_of($cfg, $id) {
    my ($encoded, $decoded) = ($id, $id);
    utf8::encode($encoded);
    utf8::decode($decoded);
    my ($found) = grep { defined($cfg->{ids}->{$_}) } $encoded, $id, $decoded;
    return $found // $id;
}

# Changes the configuration under the lock.
my sub change($what, $code) {
    PVE::Multipath::ClusterConfig::lock_config(
        sub() {
            my $cfg = PVE::Multipath::ClusterConfig::read_config();
            PVE::Multipath::ClusterConfig::write_config($code->($cfg));
        },
        $what,
    );
    return undef;
}

my sub assert_unused($wwid) {
    my $users = PVE::Multipath::Uses::users(PVE::Multipath::Source->live());
    my $refusal = PVE::Multipath::Uses::refusal($wwid, $users) // return;
    raise_param_exc({ wwid => "$refusal->{text} - set 'force' to remove it anyway" });
}

my sub remove_section($param) {
    return change('removing the WWID failed', sub($cfg) {
        my $id = section_of($cfg, $param->{wwid});
        assert_unused($id) if defined($cfg->{ids}->{$id}) && !$param->{force};
        return PVE::Multipath::Config::remove_wwid($cfg, $id, $param->{digest});
    });
}

__PACKAGE__->register_method({
    name => 'config',
    path => '',
    method => 'GET',
    description => 'The multipath configuration of the cluster.',
    permissions => $audit,
    parameters => { additionalProperties => 0, properties => {} },
    returns => {
        type => 'object',
        properties => {
            defaults => {
                type => 'object',
                description => 'The global knobs in effect.',
                properties => PVE::Multipath::Schema::defaults(),
            },
            wwids => {
                type => 'array',
                description => 'The allow-listed WWIDs.',
                items => PVE::Multipath::Schema::wwid(),
            },
            aliases => {
                type => 'object',
                description => 'The aliases by WWID.',
                additionalProperties => 1,
            },
            'wwid-options' => {
                type => 'object',
                description => 'Alias and knobs by WWID, for LUNs that have any.',
                additionalProperties => 1,
            },
            problems => {
                type => 'array',
                description => 'Dangerous values, and those that have no effect or are not'
                    . ' understood; for the multipath-tools on the node that answers.',
                items => PVE::Multipath::Schema::problem(),
            },
            digest => $digest,
        },
    },
    code => sub($param) {
        my $cfg = PVE::Multipath::ClusterConfig::read_config();
        return {
            defaults => PVE::Multipath::Config::effective_defaults($cfg),
            wwids => PVE::Multipath::Config::wwid_list($cfg),
            aliases => PVE::Multipath::Config::aliases($cfg),
            'wwid-options' => PVE::Multipath::Config::wwid_opts($cfg),
            problems => decode_texts(
                PVE::Multipath::Source->files()->problems($cfg),
            ),
            digest => $cfg->{digest},
        };
    },
});

__PACKAGE__->register_method({
    name => 'update_defaults',
    path => 'defaults',
    method => 'PUT',
    protected => 1,
    description => 'Set global knobs.',
    permissions => $modify,
    parameters => {
        additionalProperties => 0,
        properties => {
            PVE::Multipath::Schema::defaults()->%*, delete => $delete, digest => $digest,
        },
    },
    returns => $nothing,
    code => sub($param) {
        return change('changing the multipath defaults failed', sub($cfg) {
            return PVE::Multipath::Config::update_defaults(
                $cfg, properties($param), $param->@{qw(delete digest)},
            );
        });
    },
});

__PACKAGE__->register_method({
    name => 'luns',
    path => 'wwid',
    method => 'GET',
    description => 'The allow-listed LUNs with their aliases and knobs.',
    permissions => $audit,
    parameters => { additionalProperties => 0, properties => {} },
    returns => {
        type => 'array',
        items => { type => 'object', properties => $lun },
        links => [{ rel => 'child', href => '{wwid}' }],
    },
    code => sub($param) {
        return PVE::Multipath::Config::luns(PVE::Multipath::ClusterConfig::read_config());
    },
});

__PACKAGE__->register_method({
    name => 'lun',
    path => 'wwid/{wwid}',
    method => 'GET',
    description => 'An allow-listed LUN with its alias and knobs.',
    permissions => $audit,
    parameters => {
        additionalProperties => 0,
        properties => { wwid => PVE::Multipath::Schema::wwid() },
    },
    returns => { type => 'object', properties => { %$lun, digest => $digest } },
    code => sub($param) {
        my $cfg = PVE::Multipath::ClusterConfig::read_config();
        my $wwid = $param->{wwid};
        my ($lun) = grep { $_->{wwid} eq $wwid } PVE::Multipath::Config::luns($cfg)->@*;
        raise("WWID '$wwid' is not configured\n", code => 404) if !defined($lun);
        return { %$lun, digest => $cfg->{digest} };
    },
});

__PACKAGE__->register_method({
    name => 'add_wwid',
    path => 'wwid',
    method => 'POST',
    protected => 1,
    description => 'Add a LUN to the allow-list, with its alias and knobs. A LUN that is already listed is'
        . ' not changed.',
    permissions => $modify,
    parameters => {
        additionalProperties => 0,
        properties => { %$lun, digest => $digest },
    },
    returns => $nothing,
    code => sub($param) {
        return change('adding the WWID failed', sub($cfg) {
            return PVE::Multipath::Config::add_wwid(
                $cfg, $param->{wwid}, properties($param), $param->{digest},
            );
        });
    },
});

__PACKAGE__->register_method({
    name => 'update_wwid',
    path => 'wwid/{wwid}',
    method => 'PUT',
    protected => 1,
    description => 'Set the alias and knobs of a LUN.',
    permissions => $modify,
    parameters => {
        additionalProperties => 0,
        properties => { %$lun, delete => $delete, digest => $digest },
    },
    returns => $nothing,
    code => sub($param) {
        return change('changing the WWID failed', sub($cfg) {
            return PVE::Multipath::Config::update_wwid(
                $cfg, $param->{wwid}, properties($param), $param->@{qw(delete digest)},
            );
        });
    },
});

my $removal = {
    additionalProperties => 0,
    properties => {
        wwid => $section_id,
        force => {
            type => 'boolean',
            optional => 1,
            description => 'Remove the LUN even if a storage, a guest or a node uses it, or may use it.',
        },
        digest => $digest,
    },
};

__PACKAGE__->register_method({
    name => 'remove_wwid',
    path => 'wwid/{wwid}',
    method => 'DELETE',
    protected => 1,
    description => 'Remove a LUN from the allow-list. It is not an error if it is not listed. Nodes keep'
        . ' its map while it is in use.',
    permissions => $modify,
    parameters => $removal,
    returns => $nothing,
    code => \&remove_section,
});

__PACKAGE__->register_method({
    name => 'remove_section',
    path => 'wwid',
    method => 'DELETE',
    protected => 1,
    description => 'The same for an ID with a slash, which cannot be part of the path of a URL.',
    permissions => $modify,
    parameters => $removal,
    returns => $nothing,
    code => \&remove_section,
});

__PACKAGE__->register_method({
    name => 'set_alias',
    path => 'alias',
    method => 'POST',
    protected => 1,
    description => 'Set the alias of a LUN.',
    permissions => $modify,
    parameters => {
        additionalProperties => 0,
        properties => {
            wwid => PVE::Multipath::Schema::wwid(),
            alias => { PVE::Multipath::Schema::lun()->{alias}->%*, optional => 0 },
            digest => $digest,
        },
    },
    returns => $nothing,
    code => sub($param) {
        return change('setting the alias failed', sub($cfg) {
            return PVE::Multipath::Config::set_alias($cfg, $param->@{qw(wwid alias digest)});
        });
    },
});

__PACKAGE__->register_method({
    name => 'remove_alias',
    path => 'alias/{wwid}',
    method => 'DELETE',
    protected => 1,
    description => 'Remove the alias of a LUN. It is not an error if it has none.',
    permissions => $modify,
    parameters => {
        additionalProperties => 0,
        properties => { wwid => PVE::Multipath::Schema::wwid(), digest => $digest },
    },
    returns => $nothing,
    code => sub($param) {
        return change('removing the alias failed', sub($cfg) {
            return PVE::Multipath::Config::remove_alias($cfg, $param->@{qw(wwid digest)});
        });
    },
});

__PACKAGE__->register_method({
    name => 'overrides',
    path => 'overrides',
    method => 'GET',
    description => "The administrator's overrides for multipathd.",
    permissions => $audit,
    parameters => { additionalProperties => 0, properties => {} },
    returns => { type => 'object', properties => { text => $text, digest => $digest } },
    code => sub($param) {
        my $bytes = PVE::Multipath::ClusterConfig::read_overrides();
        return {
            text => characters($bytes),
            digest => PVE::Multipath::Config::overrides_digest($bytes),
        };
    },
});

__PACKAGE__->register_method({
    name => 'update_overrides',
    path => 'overrides',
    method => 'PUT',
    protected => 1,
    description => "Replace the administrator's overrides for multipathd. Dangerous text is refused.",
    permissions => $modify,
    parameters => {
        additionalProperties => 0,
        properties => { text => $text, digest => $digest },
    },
    returns => {
        type => 'object',
        properties => {
            warnings => {
                type => 'array',
                description => 'The warnings about the text, which was accepted.',
                items => { type => 'string' },
            },
        },
    },
    code => sub($param) {
        my $new = text_bytes($param->{text});
        my $warnings = PVE::Multipath::ClusterConfig::lock_overrides(
            sub() {
                my $present = PVE::Multipath::ClusterConfig::read_overrides();
                PVE::Tools::assert_if_modified(
                    PVE::Multipath::Config::overrides_digest($present), $param->{digest},
                );
                my $warnings = eval { PVE::Multipath::ClusterConfig::write_overrides($new) };
                if (my $err = $@) {
                    raise_param_exc({ text => characters($err =~ s/\n\z//r) })
                        if !ref($err) && $err =~ m/\Amultipath overrides: /;
                    die $err;
                }
                return $warnings;
            },
            'changing the overrides failed',
        );
        return { warnings => [map { characters($_) } @$warnings] };
    },
});

__PACKAGE__->register_method({
    name => 'check_overrides',
    path => 'check-overrides',
    method => 'POST',
    description => 'Check overrides for multipathd without storing them.',
    permissions => $audit,
    parameters => {
        additionalProperties => 0,
        properties => {
            text => $text,
            version => {
                type => 'string',
                pattern => '\d+\.\d+(?:\.\d+)?',
                optional => 1,
                description => 'The version of multipath-tools; default: all supported ones.',
            },
        },
    },
    returns => $findings,
    code => sub($param) {
        my $cfg = PVE::Multipath::ClusterConfig::read_config();
        my $wwids = PVE::Multipath::Config::wwid_list($cfg);
        my $findings = eval {
            PVE::Multipath::Config::overrides_findings(
                text_bytes($param->{text}), $param->{version}, $wwids,
            );
        };
        if (my $err = $@) {
            # the pattern accepts a trailing line feed and huge numbers
            raise_param_exc({ version => $err =~ s/\n\z//r }) if $err =~ m/ is not a version of /;
            die $err;
        }
        return decode_texts($findings);
    },
});

__PACKAGE__->register_method({
    name => 'candidates',
    path => 'candidates',
    method => 'GET',
    description => 'The LUNs, and other disks, that nodes see and that are not on the allow-list.',
    permissions => $audit,
    parameters => { additionalProperties => 0, properties => {} },
    returns => PVE::Multipath::Schema::candidates(),
    code => sub($param) {
        return PVE::Multipath::candidates(
            PVE::Multipath::Source->live(), PVE::Multipath::ClusterConfig::read_config(),
        );
    },
});

__PACKAGE__->register_method({
    name => 'status',
    path => 'status',
    method => 'GET',
    description => 'The health of each LUN on each node.',
    permissions => $audit,
    parameters => { additionalProperties => 0, properties => {} },
    returns => PVE::Multipath::Schema::status(),
    code => sub($param) {
        my $args = PVE::Multipath::cluster_status_args(
            PVE::Multipath::Source->live(), PVE::Multipath::ClusterConfig::read_config(),
        );
        return PVE::Multipath::cluster_status($args);
    },
});

1;
