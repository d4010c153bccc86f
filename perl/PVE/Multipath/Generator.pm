package PVE::Multipath::Generator;

=head1 NAME

PVE::Multipath::Generator - apply the cluster's configuration to a node

=head1 DESCRIPTION

The library behind C<PVE::RS::Multipath::Plan> decides what is to be done; the functions here
collect its inputs on the node and carry out its plan. They may be killed at any point: the next
pass completes the work.

=over

=item plan($cfg, $overrides, $node)

What applying would do: C<< { configured, 'drop-ins', wwids, 'taken-aliases', 'record-unreadable',
unconfirmed, reconfigure, uneven, 'held-back', changes, errors } >>. Each drop-in, WWID and alias
has a C<reason>, drop-ins and WWIDs also an C<action>. The configuration is a parsed one, or its
text as bytes, and is assumed to be completely saved. C<$node> is a L<PVE::Multipath::Node>, by
default the local one.

=item diff($step, $node)

The change to a drop-in by a step of the plan, as C<diff -u> prints it; undef if the texts are too
long to compare.

=item regenerate($cfg, $overrides, %options)

Applies the given configuration, and returns 1 if that changed anything, else 0. A step that fails
does not stop the others; at the end it dies with all errors, one per line. Options: C<timeout> is
how many seconds to wait for another pass, C<progress> is called with a text at each slow step,
C<limit> is after how many seconds to leave further WWIDs to the next pass. If another pass is still
running after the time-out, it dies; with a time-out of 0, it returns without doing anything.

=item apply(%options)

Applies the cluster's present configuration, with the same options and result. Before it removes
anything, it waits until the files have not changed for two seconds: an editor may just be saving
them.

=item drift($cfg, $overrides, $node)

The configured values that another file overrides, as multipathd reports them: sentences such as
C<defaults: KNOB is VALUE, not VALUE>.

=item sync()

A pass with the cluster's present configuration, for daemons: never dies, publishes its result, and
is cheap if there is nothing to do. If the configuration cannot be read, nothing is changed.
Removals are left to a later pass until two passes have read the same files two seconds apart, so
the first pass of a process only adds.

A pass that did not do everything, because another one was running or something was left to the next
pass, publishes nothing.

=back

=cut

use v5.36;

use Time::HiRes ();

use PVE::Multipath;
use PVE::Multipath::Clock qw(monotonic);
use PVE::Multipath::Config;
use PVE::Multipath::Daemon;
use PVE::Multipath::File;
use PVE::Multipath::Node;
use PVE::Multipath::Source;
use PVE::Multipath::State;
use PVE::Multipath::Text qw(bytes joined_lines one_line);
use PVE::Multipath::WwidsFile;
use PVE::RS::Multipath::Cluster;
use PVE::RS::Multipath::Plan;
use PVE::RS::Multipath::Reporter;

# How long to wait for another pass, in seconds. Adding a thousand LUNs takes a while.
our $LOCK_TIMEOUT = 60;

# How long a pass of a daemon may add and remove WWIDs, in seconds. The rest is left to the next
# pass.
our $TIME_LIMIT = 5;

# How many WWIDs are marked in the record at once. After a pass was killed, an entry that an
# administrator adds by hand for one of these is taken for ours, so the number is small.
our $RECORD_AT_ONCE = 50;

# What has a device open for longer is not udev or LVM, which only look at it.
our $OPEN_SECONDS = 2;

# How long apply() waits for files that keep changing, in seconds.
our $SETTLE_TIMEOUT = 30;

# --- the cluster's configuration ---

# A configuration that was passed in: { config, overrides, certainty }.
my sub given($cfg, $overrides) {
    return { config => $cfg, overrides => $overrides // '', certainty => {} };
}

# The cluster's present configuration, and whether it is certain that it is completely saved.
my sub read_cluster() {
    my $source = PVE::Multipath::Source->files();
    my $cluster = { config => $source->config_text(), overrides => $source->overrides_text() };
    $cluster->{certainty}->{$_} = PVE::Multipath::Source::certainty($_, $cluster->{$_})
        for qw(config overrides);
    return $cluster;
}

# --- the state of the node ---

# Exists while there are changes that multipathd has not read yet. A boot removes it, and multipathd
# reads everything then.
my sub reconfigure_marker($node) {
    return "$node->{'run-dir'}/reconfigure";
}

# What the library returns is as tainted as what it was given.
my sub drop_in_path($node, $file) {
    my ($name) = $file =~ m/\A(pve-[a-z]+\.conf)\z/ or die "'$file' is not the name of a drop-in\n";
    return "$node->{'drop-in-dir'}/$name";
}

my sub present($node) {
    my $drop_ins = PVE::RS::Multipath::Plan::drop_ins();
    return {
        'drop-ins' => { map { $_ => PVE::Multipath::File::content(drop_in_path($node, $_)) } @$drop_ins },
        wwids => PVE::Multipath::File::content($node->{'wwids-file'}),
        record => PVE::Multipath::File::content($node->{'record-file'}),
        devices => { mapped => $node->mapped() },
        'tools-version' => $node->tools_version(),
        'reconfigure-due' => -e reconfigure_marker($node) ? 1 : 0,
    };
}

# Errors are printed one per line.
my sub assert_success($command, $reply) {
    return if ($reply->{'exit-code'} // -1) == 0;
    my $why = one_line($reply->{stderr});
    die "'$command' failed: " . (length($why) ? $why : 'no answer') . "\n";
}

my sub open_counts($node) {
    my $text = eval {
        my $reply = $node->open_counts();
        assert_success('dmsetup info', $reply);
        $reply->{stdout};
    };
    return $@ ? { error => $@ =~ s/\n\z//r } : { text => $text };
}

# Inputs that the library only asks for if the plan depends on them. The last two need a process.
my $answers = {
    disks => sub($node, $present) { $present->{devices} = $node->devices() },
    usage => sub($node, $present) { $present->{'open-counts'} = open_counts($node) },
    'usage-again' => sub($node, $present) {
        $node->let_pass($OPEN_SECONDS);
        $present->{'open-counts-again'} = open_counts($node);
    },
    others => sub($node, $present) {
        ($present->{others}, my $unread) =
            $node->config_files(PVE::RS::Multipath::Plan::drop_ins()->@*);
        $present->{'others-error'} = joined_lines(join('', @$unread)) if @$unread;
    },
};

my sub make_plan($cluster, $present) {
    my ($config, $overrides, $certainty) = $cluster->@{qw(config overrides certainty)};
    return PVE::RS::Multipath::Plan::plan($config, $overrides, $certainty, $present)
        if ref($config);
    return PVE::RS::Multipath::Plan::plan_text($config, $overrides, $certainty, $present);
}

# The inputs of a plan as a string; undef if they cannot be compared.
my sub basis($cluster, $present) {
    return undef if ref($cluster->{config}) || $present->{'reconfigure-due'};
    my $drop_ins = $present->{'drop-ins'};
    my @files = ((map { $drop_ins->{$_} } sort keys %$drop_ins), $present->@{qw(wwids record)});
    return undef if grep { $_ && defined($_->{error}) } @files;

    my $mapped = $present->{devices}->{mapped};
    my @texts = (
        $cluster->@{qw(config overrides)},
        $present->{'tools-version'},
        (map { $_ && $_->{text} } @files),
        (map { ($_, $mapped->{$_}->@{qw(name uuid)}) } sort keys %$mapped),
    );
    return join('', map { defined($_) ? length($_) . ":$_" : '-' } @texts);
}

my sub is_idle($plan) {
    return !$plan->{changes} && !$plan->{unconfirmed} && !$plan->{errors}->@* && !$plan->{wwids}->@*;
}

# The plan and its inputs. A plan without changes is kept, since a daemon mostly has the same inputs
# again.
my sub look($cluster, $node) {
    my $present = present($node);
    my $basis = basis($cluster, $present);
    my $idle = PVE::Multipath::State::current()->{idle};
    return ($idle->{plan}, $present) if defined($basis) && $basis eq $idle->{basis};

    my $plan = make_plan($cluster, $present);
    while (my $questions = $plan->{questions}) {
        $answers->{$_}->($node, $present) for @$questions;
        $plan = make_plan($cluster, $present);
    }
    $idle->@{qw(basis plan)} = ($basis, $plan) if defined($basis) && is_idle($plan);
    return ($plan, $present);
}

sub plan($cfg, $overrides = undef, $node = PVE::Multipath::Node->live()) {
    my ($plan) = look(given($cfg, $overrides), $node);
    return $plan;
}

sub diff($step, $node = PVE::Multipath::Node->live()) {
    my $old = PVE::Multipath::File::content(drop_in_path($node, $step->{file}));
    return PVE::RS::Multipath::Plan::diff($step->{file}, $old && $old->{text}, $step->{text});
}

# --- carrying it out ---

my sub replace($path, $bytes) {
    PVE::Multipath::File::make_directory($path =~ s!/[^/]*\z!!r);
    PVE::Multipath::File::replace($path, $bytes);
    return;
}

# Runs the code and collects its error. Returns whether it succeeded.
my sub attempt($errors, $code) {
    return 1 if eval { $code->(); 1 };
    push @$errors, $@ =~ s/\n\z//r;
    return 0;
}

# Runs the code for each step; a failed step does not stop the others. Returns how many succeeded.
my sub each_step($errors, $steps, $code, $in_time = sub() { 1 }) {
    my $done = 0;
    for my $step (@$steps) {
        last if !$in_time->();
        $done += attempt($errors, sub() { $code->($step) });
    }
    return $done;
}

my sub apply_drop_ins($plan, $node, $errors) {
    my @steps = grep { $_->{action} ne 'keep' } $plan->{'drop-ins'}->@*;
    return each_step($errors, \@steps, sub($step) {
        my $path = drop_in_path($node, $step->{file});
        return replace($path, $step->{text}) if $step->{action} eq 'write';
        return PVE::Multipath::File::remove($path);
    });
}

# The record is written before an entry is added, so that it is known as ours even if this process
# is killed right after. One write marks several entries: the record of a thousand would otherwise
# be written a thousand times. Returns how many WWIDs were changed, and whether some were left to
# the next pass.
my sub apply_wwids($plan, $present, $node, $errors, %options) {
    my $record = $present->{record} ? $present->{record}->{text} : undef;
    my %noted;
    my $note = sub(%changes) {
        %noted = (%noted, %changes);
        # multipath leaves that to the kernel, so a power failure may undo what the record says.
        # With the record, the file's new size would get to the disk, and zeros instead of its last
        # entries.
        PVE::Multipath::File::sync($node->{'wwids-file'}) if -e $node->{'wwids-file'};
        return if $plan->{'record-unreadable'} || !%noted;
        my $text = PVE::RS::Multipath::Plan::record($record, \%noted);
        if (!defined($text)) {
            PVE::Multipath::File::remove($node->{'record-file'});
        } elsif ($text ne ($record // '')) {
            replace($node->{'record-file'}, $text);
        }
        ($record, %noted) = ($text);
    };

    my %wwids = map { $_ => [] } qw(add remove confirm drop keep);
    push $wwids{ $_->{action} }->@*, $_->{wwid} for $plan->{wwids}->@*;
    %noted = ((map { $_ => 'added' } $wwids{confirm}->@*), (map { $_ => undef } $wwids{drop}->@*));

    my ($count, $all) = (0, $wwids{add}->@* + $wwids{remove}->@*);
    my $tell = sub($what) { $options{progress}->("$what (" . ++$count . " of $all)") };
    my $deadline = defined($options{limit}) ? monotonic() + $options{limit} : undef;
    my $late = 0;
    my $in_time = sub() { !($late ||= defined($deadline) && monotonic() >= $deadline) };

    my $wwids_file = PVE::Multipath::WwidsFile->new($node->{'wwids-file'});
    my $done = 0;
    while ($wwids{add}->@* && $in_time->()) {
        my @batch = splice($wwids{add}->@*, 0, $RECORD_AT_ONCE);
        if (!attempt($errors, sub() { $note->(map { $_ => 'adding' } @batch) })) {
            delete @noted{@batch};
            last;
        }

        my %left = map { $_ => undef } @batch;
        $done += each_step($errors, \@batch, sub($wwid) {
            delete $left{$wwid};
            $tell->("adding $wwid");
            # another program added it first, so the record does not claim it
            return $note->($wwid => undef) if $wwids_file->lists($wwid);

            my $added = eval { PVE::Multipath::add_wwid($wwid); 1 };
            my $err = $@;
            $wwids_file->expect_appended($wwid);
            $noted{$wwid} = $wwids_file->lists($wwid) ? 'added' : undef;
            die $err if !$added;
            die "'multipath -a $wwid' succeeded, but '$node->{'wwids-file'}' does not have it\n"
                if !defined($noted{$wwid});
        }, $in_time);
        %noted = (%noted, %left);
    }
    $done += each_step($errors, $wwids{remove}, sub($wwid) {
        $tell->("removing $wwid");
        PVE::Multipath::remove_wwid($wwid);
        $noted{$wwid} = undef;
    }, $in_time);
    attempt($errors, $note);

    return ($done, $late);
}

# If multipathd is stopped, it reads everything when it starts. If it hangs, it may not have read
# the changes.
my sub reconfigure($marker) {
    my $state = PVE::Multipath::daemon_state();
    die "multipathd does not answer, so the changes are not in effect yet\n"
        if $state eq 'no-answer';
    PVE::Multipath::reconfigure() if $state eq 'running';
    PVE::Multipath::File::remove($marker);
    return;
}

# For new LUNs while a reconfigure is postponed. multipathd may refuse, then a reconfigure would not
# create the map either.
my sub add_maps($wwids, %options) {
    return if !@$wwids || !PVE::Multipath::is_running();
    my $deadline = defined($options{limit}) ? monotonic() + $options{limit} : undef;
    for my $wwid (@$wwids) {
        last if defined($deadline) && monotonic() >= $deadline;
        $options{progress}->("creating the map of $wwid");
        PVE::Multipath::Daemon::add_map($wwid);
    }
    return;
}

# Returns whether anything was changed, and whether something is left to the next pass.
my sub carry_out($cluster, $plan, $present, $node, %options) {
    my $errors = $plan->{errors};
    my $marker = reconfigure_marker($node);
    my $due = $present->{'reconfigure-due'};

    # before anything is changed: after a kill, it is all that the next pass knows of the changes
    attempt($errors, sub() { replace($marker, '') }) if $plan->{reconfigure} && !$due;

    my $changed = apply_drop_ins($plan, $node, $errors);
    my ($done, $late) = apply_wwids($plan, $present, $node, $errors, %options);
    $changed += $done;

    # a reconfigure stalls multipathd, so there is none for a step that fails in each pass
    if ($changed || $due) {
        # meanwhile the sizes of paths may have changed
        my ($now) = look($cluster, $node);
        $plan->{'held-back'} = $now->{'held-back'};
        if (defined($plan->{'held-back'})) {
            attempt($errors, sub() { add_maps($now->{'maps-to-add'} // [], %options) });
        } else {
            $options{progress}->("map $_->{from} is renamed to $_->{to}") for $now->{renames}->@*;
            $options{progress}->('reconfiguring multipathd');
            attempt($errors, sub() { reconfigure($marker) });
            $changed = 1;
        }
    } elsif ($plan->{reconfigure}) {
        attempt($errors, sub() { PVE::Multipath::File::remove($marker) });
    }
    return ($changed ? 1 : 0, $late);
}

# A pass. $read returns the configuration; it is called again under the lock. Returns { changed,
# complete }: whether anything was changed, and whether nothing is left to do. Dies with the errors
# that an administrator has to fix.
my sub pass($read, %options) {
    my $node = PVE::Multipath::Node->live();
    $options{progress} //= sub($) { };

    my ($plan, $present) = look($read->(), $node);
    my ($changed, $late) = (0, 0);
    if ($plan->{changes}) {
        PVE::Multipath::assert_supported();
        PVE::Multipath::File::make_directory($node->{'run-dir'});
        my $alone = 0;
        PVE::Multipath::File::locked("$node->{'run-dir'}/lock", sub() {
            $alone = 1;
            # another pass may have done it, or the configuration may have changed
            my $cluster = $read->();
            ($plan, $present) = look($cluster, $node);
            PVE::Multipath::File::remove_unfinished(
                reconfigure_marker($node),
                $node->{'record-file'},
                map { drop_in_path($node, $_) } PVE::RS::Multipath::Plan::drop_ins()->@*,
            );
            ($changed, $late) = carry_out($cluster, $plan, $present, $node, %options)
                if $plan->{changes};
        }, $options{timeout} // $LOCK_TIMEOUT);
        return { changed => 0, complete => 0 } if !$alone;
    }
    my @errors = ($plan->{errors}->@*, $plan->{'held-back'} // ());
    die join('', map { "$_\n" } @errors) if @errors;
    return { changed => $changed, complete => !$late && !$plan->{unconfirmed} };
}

sub regenerate($cfg, $overrides = undef, %options) {
    return pass(sub() { given($cfg, $overrides) }, %options)->{changed};
}

sub apply(%options) {
    my $node = PVE::Multipath::Node->live();
    my $deadline = monotonic() + $SETTLE_TIMEOUT;
    my ($changed, $told) = (0, 0);
    while (1) {
        my ($plan) = look(read_cluster(), $node);
        if (!$plan->{unconfirmed}) {
            my $res = pass(\&read_cluster, %options);
            $changed ||= $res->{changed};
            return $changed if $res->{complete};
        }
        die "the cluster's configuration keeps changing: nothing was removed\n"
            if monotonic() >= $deadline;
        $options{progress}->('waiting until the configuration has not changed for two seconds')
            if $options{progress} && !$told++;
        Time::HiRes::sleep(0.5);
    }
}

sub drift($cfg, $overrides = undef, $node = PVE::Multipath::Node->live()) {
    my $reply = $node->query([qw(show config local)]);
    assert_success('multipathd show config local', $reply);
    my $version = $node->tools_version();
    my $drift =
        PVE::Multipath::Config::drift($cfg, $reply->{stdout}, $version, $overrides // '');
    my ($plan, $present) = look(given($cfg, $overrides), $node);
    # multipathd leaves out LUNs without a map
    my %has_map = map { $_->{uuid} =~ m/\Ampath-(\S+)/ ? ($1 => 1) : () } values $present->{devices}->{mapped}->%*;
    my %without_alias = map { $_->{wwid} => 1 } $plan->{'taken-aliases'}->@*;
    return map {
        my $where = $_->{wwid} // 'defaults';
        my $found = $_->{found} // 'not set';
        one_line("$where: $_->{knob} is $found, not $_->{wanted}");
    } grep {
        !defined($_->{wwid})
            || $has_map{ $_->{wwid} } && ($_->{knob} ne 'alias' || !$without_alias{ $_->{wwid} })
    } @$drift;
}

# --- for daemons ---

my sub report($error) {
    my $state = PVE::Multipath::State::current();
    warn "cannot apply the multipath configuration: $error"
        if defined($error) && $error ne $state->{'apply-error'};
    $state->{'apply-error'} = $error // '';
    PVE::Multipath::refresh_apply_status($error);
    return;
}

my sub quietly($code) {
    local $SIG{__WARN__} = sub { };
    return $code->();
}

# The values that are not in effect although the last pass has applied them, undef if that was not looked
# at. Between two passes, multipathd has had time to read them.
my sub verify($config, $overrides) {
    my $state = PVE::Multipath::State::current();
    my $applied = $state->{unverified} // return undef;
    $state->{unverified} = undef;
    return undef if $applied ne "$config\0$overrides" || !PVE::Multipath::is_running();

    my $cfg =
        quietly(sub() { PVE::Multipath::Config->parse_config('multipath.cfg', $config) });
    return [drift($cfg, $overrides)];
}

# Writes down which configuration the node has, since when, and what overrides it, for its reports. A boot
# removes it.
my sub note_applied($cluster, $drift, $changed) {
    my $file = PVE::Multipath::Node->live()->{'run-dir'} . '/applied.json';
    my $text = PVE::RS::Multipath::Reporter::applied({
        before => scalar(eval { PVE::Multipath::File::read($file) }),
        config => $cluster->{config},
        overrides => $cluster->{overrides},
        drift => defined($drift) ? [map { bytes($_) } @$drift] : undef,
        changed => $changed,
        now => time(),
    });
    replace($file, $text) if defined($text);
    return;
}

# Whether this node should have any of the configured LUNs. If the storages are unknown, every node
# should.
my sub should_carry_luns($config) {
    my $wwids = quietly(sub() {
        PVE::Multipath::Config::wwid_list(
            PVE::Multipath::Config->parse_config('multipath.cfg', $config),
        );
    });
    my ($expected) = eval {
        my $source = PVE::Multipath::Source->live();
        PVE::RS::Multipath::Cluster::expects_any(
            $source->storage_ids(), $source->nodelist(), $source->nodename(), $wwids,
        );
    };
    return $@ ? scalar(@$wwids) : $expected;
}

# Returns whether nothing is left to do. Dies with the errors.
my sub daemon_pass() {
    my $cluster = read_cluster();
    my ($config, $overrides) = $cluster->@{qw(config overrides)};

    if (!PVE::Multipath::is_supported()) {
        PVE::Multipath::assert_supported() if should_carry_luns($config);
        return $cluster->{certainty}->{config} eq 'settled';
    }
    # the configuration is applied even if multipathd does not answer now
    my $drift = eval { verify($config, $overrides) };
    warn "cannot check whether the multipath configuration is in effect: $@" if $@;
    warn "overridden by another file of multipathd's configuration: $_\n" for @{ $drift // [] };

    my $read = sub() { return $cluster = read_cluster() };
    my $res = pass($read, timeout => 0, limit => $TIME_LIMIT);
    PVE::Multipath::State::current()->{unverified} = "$cluster->{config}\0$cluster->{overrides}"
        if $res->{changed} && $res->{complete};
    my $is_settled = !grep { $_ ne 'settled' } values $cluster->{certainty}->%*;
    if ($res->{complete} && $is_settled) {
        eval { note_applied($cluster, $drift, $res->{changed}) };
        warn "cannot note what was applied: $@" if $@;
    }
    return $res->{complete};
}

# An incomplete pass has no result, so the last published one stays.
sub sync() {
    eval {
        my $complete = eval { daemon_pass() };
        my $error = $@;
        report(length($error) ? "$error" : undef) if length($error) || $complete;
    };
    warn $@ if $@;
    return;
}

1;
