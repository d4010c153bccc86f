package PVE::Multipath::Config;

=head1 NAME

PVE::Multipath::Config - the cluster's multipath configuration

=head1 SYNOPSIS

    my $cfg = PVE::Multipath::Config->parse_config('multipath.cfg', $raw);
    $cfg = PVE::Multipath::Config::add_wwid($cfg, $wwid, { alias => 'san-a-lun0' });
    my $text = PVE::Multipath::Config->write_config('multipath.cfg', $cfg);

=head1 DESCRIPTION

Pure functions, without I/O. A configuration is a plain hash

    {
        ids => { ID => { type => ..., PROPERTY => VALUE, ... }, ... },
        order => { ID => POSITION, ... },
        digest => SHA-1 of the file, in hexadecimal,
        errors => [{ context, section, key, err }, ...],   # refused values, if any
        kept => { ... },                                   # lines not understood, if any
    }

like that of PVE::SectionConfig, except for C<kept>: it is private to the library, which writes it
back with the configuration.

Trailing arguments are optional in all functions below, except the configuration and WWID of a
change and the data to write. For queries, no configuration is the same as an empty one.

=head2 Reading and writing

=over

=item PVE::Multipath::Config->parse_config($filename, $raw)

Reads a file like PVE::SectionConfig, with the same warnings. C<$raw> is bytes, undef is an empty
file.

=item parse_quietly($filename, $raw)

The same without the warnings, for programs that read the file repeatedly. problems() lists what was
not understood.

=item PVE::Multipath::Config->write_config($filename, $cfg)

The text of the file, as bytes. New sections are appended, sorted; their positions are stored in
C<< $cfg->{order} >>. Dies for values that could not be read back, and names section and property.

=back

=head2 Queries

Dangerous values are left out, see problems().

=over

=item managed_defaults(), effective_defaults($cfg)

The global knobs, C<< { KNOB => VALUE } >>: the built-in ones, and as configured.

=item wwid_list($cfg), aliases($cfg), wwid_opts($cfg)

The allow-listed WWIDs, sorted; C<< { WWID => ALIAS } >>; C<< { WWID => { alias, KNOB => VALUE } }
>> of the LUNs that have any.

=item luns($cfg)

The same as a list of C<< { wwid, alias, KNOB => VALUE } >>, sorted by WWID.

=item effective($cfg)

The values in effect and where they come from: C<< { defaults => { KNOB => { value, from } }, luns
=> { WWID => { alias, knobs => { KNOB => { value, from } } } } } >> with C<from> one of C<default>,
C<cluster>, C<lun>.

=item problems($cfg, $version)

What is dangerous, has no effect, or was not understood: a list of C<< { severity, code, section,
property, message } >> in the order of the file. With a C<$version> of multipath-tools, also the
knobs that it ignores.

=back

=head2 Changing

    add_wwid($cfg, $wwid, $set, $digest)
    remove_wwid($cfg, $wwid, $digest)
    update_wwid($cfg, $wwid, $set, $delete, $digest)
    set_alias($cfg, $wwid, $alias, $digest)
    remove_alias($cfg, $wwid, $digest)
    update_defaults($cfg, $set, $delete, $digest)

Each returns a new configuration and leaves the old one unchanged, or dies. Removing something that
does not exist changes nothing; remove_wwid() removes any section of type C<wwid>, also one whose ID
is not a WWID. C<$set> is C<< { PROPERTY => VALUE } >>, undefined values are ignored; C<$delete> is
a list of properties, separated by commas, semicolons or blanks. With a C<$digest>, the change is
refused unless it is that of the configuration. An invalid parameter is a parameter exception of
Proxmox VE if PVE::Exception is installed.

=head2 Rendering

    generate_managed_conf($defaults, $version)
    build_multipaths_block($wwid_opts, $version)
    generate_aliases_conf($wwid_opts, $version)
    parse_wwids($text)
    format_wwids($wwids)

The text of F<pve-defaults.conf>, by default with managed_defaults(); the section C<multipaths>, and
the text of F<pve-aliases.conf> with it, both '' if there are no values; the entries of
F</etc/multipath/wwids>, and its text. Knobs that C<$version> of multipath-tools ignores are left
out; without a version, none are.

=head2 Overrides

    check_overrides($text, $version, $wwids)
    overrides_findings($text, $version, $wwids)
    parse_overrides($filename, $raw)
    write_overrides($filename, $text)
    overrides_digest($text)
    generate_overrides_conf($text)
    drift($cfg, $dump, $version, $overrides)

The administrator's text for multipathd, as bytes in UTF-8. It is checked for C<$version> of
multipath-tools, or for all supported ones: check_overrides() dies for errors and for bytes that are
not UTF-8, and returns the warnings as texts; overrides_findings() returns everything as data, C<< {
severity, code, line, column, message, instead, versions, text } >>. A blacklist that matches one of
C<$wwids>, the allow-list, is a warning. The text is stored unchanged, except for white space at its
end.

drift() compares the configuration with the output of C<multipathd show config local>: C<< [{ wwid,
knob, wanted, found }] >> are the values that another file overrides. Values that the overrides set
are not reported.

=head2 Schema

    defaults_api_schema()
    wwid_api_schema()

The properties as parameters for the API.

=cut

use v5.36;

use PVE::RS::Multipath::Allowlist;
use PVE::RS::Multipath::Config;
use PVE::RS::Multipath::Overrides;
use PVE::RS::Multipath::Render;

# --- reading and writing ---

# A character beyond a byte means that the caller has decoded the file; PVE::SectionConfig dies as
# well.
my sub assert_bytes($text, $what) {
    utf8::downgrade($text, 1) or die "Wide character in $what: it has to be bytes\n";
    return $text;
}

my sub parse($filename, $raw) {
    $raw = assert_bytes($raw // '', 'configuration');
    return PVE::RS::Multipath::Config::parse($filename // '', $raw);
}

sub parse_config($class, $filename = undef, $raw = undef, @) {
    my $res = parse($filename, $raw);
    warn $_ for $res->{warnings}->@*;
    return $res->{config};
}

sub parse_quietly($filename = undef, $raw = undef) {
    return parse($filename, $raw)->{config};
}

sub write_config($class, $filename, $cfg, @) {
    my $res = PVE::RS::Multipath::Config::write($cfg);
    $cfg->{order}->{$_} = $res->{order}->{$_} for keys $res->{order}->%*;
    return $res->{text};
}

# --- queries ---

# For queries only. A configuration to write or change must not be missing.
my sub or_empty($cfg) {
    return { ids => {}, ($cfg // {})->%* };
}

sub managed_defaults() {
    return PVE::RS::Multipath::Config::managed_defaults();
}

sub effective_defaults($cfg = undef) {
    return PVE::RS::Multipath::Config::effective_defaults(or_empty($cfg));
}

sub effective($cfg = undef) {
    return PVE::RS::Multipath::Config::effective(or_empty($cfg));
}

sub wwid_list($cfg = undef) {
    return PVE::RS::Multipath::Config::wwid_list(or_empty($cfg));
}

sub aliases($cfg = undef) {
    return PVE::RS::Multipath::Config::aliases(or_empty($cfg));
}

sub wwid_opts($cfg = undef) {
    return PVE::RS::Multipath::Config::wwid_opts(or_empty($cfg));
}

sub luns($cfg = undef) {
    my $opts = wwid_opts($cfg);
    return [map { { wwid => $_, ($opts->{$_} // {})->%* } } wwid_list($cfg)->@*];
}

sub problems($cfg = undef, $version = undef) {
    return PVE::RS::Multipath::Config::problems(or_empty($cfg), $version);
}

# --- changing ---

my sub raise($error, $parameter) {
    if (defined($parameter) && eval { require PVE::Exception; 1 }) {
        PVE::Exception::raise_param_exc({ $parameter => $error });
    }
    die defined($parameter) ? "$parameter: $error\n" : "$error\n";
}

# Other keys that a caller has put into the hash are kept.
my sub change($cfg, $change, $args) {
    die "no configuration to change\n" if !defined($cfg);
    my $res = PVE::RS::Multipath::Config::change({ %$args, config => $cfg, change => $change });
    raise($res->{error}, $res->{parameter}) if defined($res->{error});

    my $changed = { %$cfg };
    $changed->{$_} = $res->{config}->{$_} for qw(ids order);
    delete $changed->{kept};
    $changed->{kept} = $res->{config}->{kept} if defined($res->{config}->{kept});
    return $changed;
}

sub add_wwid($cfg, $wwid, $set = undef, $digest = undef) {
    return change($cfg, 'add-wwid', { wwid => $wwid, set => $set, digest => $digest });
}

sub remove_wwid($cfg, $wwid, $digest = undef) {
    return change($cfg, 'remove-wwid', { wwid => $wwid, digest => $digest });
}

sub update_wwid($cfg, $wwid, $set = undef, $delete = undef, $digest = undef) {
    my $args = { wwid => $wwid, set => $set, delete => $delete, digest => $digest };
    return change($cfg, 'update-wwid', $args);
}

sub set_alias($cfg, $wwid, $alias, $digest = undef) {
    return change($cfg, 'set-alias', { wwid => $wwid, alias => $alias, digest => $digest });
}

sub remove_alias($cfg, $wwid, $digest = undef) {
    return change($cfg, 'remove-alias', { wwid => $wwid, digest => $digest });
}

sub update_defaults($cfg, $set = undef, $delete = undef, $digest = undef) {
    return change($cfg, 'update-defaults', { set => $set, delete => $delete, digest => $digest });
}

# --- rendering ---

sub generate_managed_conf($defaults = undef, $version = undef) {
    return PVE::RS::Multipath::Render::defaults($defaults // managed_defaults(), $version);
}

sub build_multipaths_block($wwid_opts = undef, $version = undef) {
    return PVE::RS::Multipath::Render::multipaths($wwid_opts // {}, $version) // '';
}

sub generate_aliases_conf($wwid_opts = undef, $version = undef) {
    return PVE::RS::Multipath::Render::aliases($wwid_opts // {}, $version) // '';
}

sub parse_wwids($text = undef) {
    return PVE::RS::Multipath::Allowlist::parse_wwids(assert_bytes($text // '', 'list of WWIDs'));
}

sub format_wwids($wwids = undef) {
    return PVE::RS::Multipath::Allowlist::format_wwids($wwids // []);
}

# --- overrides ---

# Dies with the first error and the number of others.
sub check_overrides($text = undef, $version = undef, $wwids = undef) {
    my (@errors, @warnings);
    for my $finding (overrides_findings($text, $version, $wwids)->@*) {
        my $told = "line $finding->{line}: $finding->{text}";
        push @{ $finding->{severity} eq 'error' ? \@errors : \@warnings }, $told;
    }
    return \@warnings if !@errors;

    my $more = @errors - 1;
    my $others = $more ? " - and $more more error" . ($more == 1 ? '' : 's') : '';
    die "multipath overrides: $errors[0]$others\n";
}

sub overrides_findings($text = undef, $version = undef, $wwids = undef) {
    $text = assert_bytes($text // '', 'overrides');
    return PVE::RS::Multipath::Overrides::check($text, $version, $wwids);
}

sub parse_overrides($filename = undef, $raw = undef) {
    return $raw // '';
}

sub write_overrides($filename, $text) {
    $text = assert_bytes($text // '', 'overrides');
    check_overrides($text);
    return PVE::RS::Multipath::Overrides::trimmed($text);
}

sub overrides_digest($text = undef) {
    return PVE::RS::Multipath::Overrides::digest(assert_bytes($text // '', 'overrides'));
}

sub generate_overrides_conf($text = undef) {
    return PVE::RS::Multipath::Overrides::drop_in(assert_bytes($text // '', 'overrides')) // '';
}

sub drift($cfg, $dump, $version = undef, $overrides = '') {
    return PVE::RS::Multipath::Overrides::drift(
        effective_defaults($cfg), wwid_opts($cfg), assert_bytes($overrides, 'overrides'),
        assert_bytes($dump, 'configuration'), $version,
    );
}

# --- schema ---

sub defaults_api_schema() {
    return PVE::RS::Multipath::Config::defaults_schema();
}

sub wwid_api_schema() {
    return PVE::RS::Multipath::Config::wwid_schema();
}

1;
