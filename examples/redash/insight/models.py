"""The mapped classes. `python -m insight shape` counts them."""

import datetime
import secrets
from typing import Any, Optional

from sqlalchemy import JSON, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.ext.mutable import MutableDict, MutableList
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def new_key() -> str:
    return secrets.token_urlsafe(30)


# Columns that hold JSON, and notice when it is changed in place.
Options = MutableDict.as_mutable(JSON())
Names = MutableList.as_mutable(JSON())


class Base(DeclarativeBase):
    """What all mapped classes have in common: a registry, and the tables of the schema."""


class Created:
    created_at: Mapped[datetime.datetime] = mapped_column(default=now)


class Timestamps(Created):
    updated_at: Mapped[datetime.datetime] = mapped_column(default=now, onupdate=now)


class Organization(Timestamps, Base):
    __tablename__ = "organizations"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    slug: Mapped[str] = mapped_column(String(255), unique=True)
    settings: Mapped[dict[str, Any]] = mapped_column(Options, default=dict)

    groups: Mapped[list["Group"]] = relationship(back_populates="org", cascade="all, delete-orphan")
    users: Mapped[list["User"]] = relationship(back_populates="org", order_by="User.name")
    data_sources: Mapped[list["DataSource"]] = relationship(back_populates="org", order_by="DataSource.id")
    queries: Mapped[list["Query"]] = relationship(back_populates="org")
    query_snippets: Mapped[list["QuerySnippet"]] = relationship(back_populates="org")
    dashboards: Mapped[list["Dashboard"]] = relationship(back_populates="org")
    notification_destinations: Mapped[list["NotificationDestination"]] = relationship(back_populates="org")


class Group(Created, Base):
    __tablename__ = "groups"

    id: Mapped[int] = mapped_column(primary_key=True)
    org_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    type: Mapped[str] = mapped_column(String(255), default="regular")
    name: Mapped[str] = mapped_column(String(100))
    permissions: Mapped[list[str]] = mapped_column(Names, default=list)

    org: Mapped["Organization"] = relationship(back_populates="groups")
    data_source_groups: Mapped[list["DataSourceGroup"]] = relationship(
        back_populates="group", cascade="all, delete-orphan"
    )


class User(Timestamps, Base):
    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("org_id", "email"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    org_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    name: Mapped[str] = mapped_column(String(320))
    email: Mapped[str] = mapped_column(String(255))
    profile_image_url: Mapped[Optional[str]] = mapped_column(String(320))
    password_hash: Mapped[Optional[str]] = mapped_column(String(128))
    group_ids: Mapped[list[int]] = mapped_column(MutableList.as_mutable(JSON()), default=list)
    api_key: Mapped[str] = mapped_column(String(40), unique=True, default=new_key)
    disabled_at: Mapped[Optional[datetime.datetime]]
    details: Mapped[dict[str, Any]] = mapped_column(Options, default=dict)

    org: Mapped["Organization"] = relationship(back_populates="users")
    queries: Mapped[list["Query"]] = relationship(back_populates="user", foreign_keys="Query.user_id")
    modified_queries: Mapped[list["Query"]] = relationship(
        back_populates="last_modified_by", foreign_keys="Query.last_modified_by_id"
    )
    query_snippets: Mapped[list["QuerySnippet"]] = relationship(back_populates="user")
    dashboards: Mapped[list["Dashboard"]] = relationship(back_populates="user")
    alerts: Mapped[list["Alert"]] = relationship(back_populates="user")
    alert_subscriptions: Mapped[list["AlertSubscription"]] = relationship(
        back_populates="user", cascade="all, delete-orphan"
    )
    notification_destinations: Mapped[list["NotificationDestination"]] = relationship(back_populates="user")


class DataSource(Created, Base):
    __tablename__ = "data_sources"
    __table_args__ = (Index("data_sources_org_id_name", "org_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    org_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    name: Mapped[str] = mapped_column(String(255))
    type: Mapped[str] = mapped_column(String(255))
    options: Mapped[dict[str, Any]] = mapped_column(Options, default=dict)
    queue_name: Mapped[str] = mapped_column(String(255), default="queries")
    scheduled_queue_name: Mapped[str] = mapped_column(String(255), default="scheduled_queries")

    org: Mapped["Organization"] = relationship(back_populates="data_sources")
    data_source_groups: Mapped[list["DataSourceGroup"]] = relationship(
        back_populates="data_source", cascade="all, delete-orphan"
    )
    query_results: Mapped[list["QueryResult"]] = relationship(back_populates="data_source")
    queries: Mapped[list["Query"]] = relationship(back_populates="data_source")


class DataSourceGroup(Base):
    __tablename__ = "data_source_groups"

    id: Mapped[int] = mapped_column(primary_key=True)
    data_source_id: Mapped[int] = mapped_column(ForeignKey("data_sources.id"))
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"))
    view_only: Mapped[bool] = mapped_column(default=False)

    data_source: Mapped["DataSource"] = relationship(back_populates="data_source_groups")
    group: Mapped["Group"] = relationship(back_populates="data_source_groups")


class QueryResult(Base):
    __tablename__ = "query_results"

    id: Mapped[int] = mapped_column(primary_key=True)
    org_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    data_source_id: Mapped[int] = mapped_column(ForeignKey("data_sources.id"))
    query_hash: Mapped[str] = mapped_column(String(32), index=True)
    query_text: Mapped[str] = mapped_column(Text)
    data: Mapped[Optional[str]] = mapped_column(Text)
    runtime: Mapped[float]
    retrieved_at: Mapped[datetime.datetime] = mapped_column(default=now)

    org: Mapped["Organization"] = relationship()
    data_source: Mapped["DataSource"] = relationship(back_populates="query_results")
    queries: Mapped[list["Query"]] = relationship(back_populates="latest_query_data")


class Query(Timestamps, Base):
    __tablename__ = "queries"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    org_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    data_source_id: Mapped[Optional[int]] = mapped_column(ForeignKey("data_sources.id"))
    latest_query_data_id: Mapped[Optional[int]] = mapped_column(ForeignKey("query_results.id"))
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[Optional[str]] = mapped_column(String(4096))
    query_text: Mapped[str] = mapped_column("query", Text)
    query_hash: Mapped[str] = mapped_column(String(32))
    api_key: Mapped[str] = mapped_column(String(40), default=new_key)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    last_modified_by_id: Mapped[Optional[int]] = mapped_column(ForeignKey("users.id"))
    is_archived: Mapped[bool] = mapped_column(default=False, index=True)
    is_draft: Mapped[bool] = mapped_column(default=True, index=True)
    schedule: Mapped[Optional[dict[str, Any]]] = mapped_column(Options)
    schedule_failures: Mapped[int] = mapped_column(default=0)
    options: Mapped[dict[str, Any]] = mapped_column(Options, default=dict)
    tags: Mapped[Optional[list[str]]] = mapped_column(Names)

    org: Mapped["Organization"] = relationship(back_populates="queries")
    data_source: Mapped[Optional["DataSource"]] = relationship(back_populates="queries")
    latest_query_data: Mapped[Optional["QueryResult"]] = relationship(back_populates="queries")
    user: Mapped["User"] = relationship(back_populates="queries", foreign_keys=[user_id])
    last_modified_by: Mapped[Optional["User"]] = relationship(
        back_populates="modified_queries", foreign_keys=[last_modified_by_id]
    )
    visualizations: Mapped[list["Visualization"]] = relationship(back_populates="query", cascade="all, delete-orphan")
    alerts: Mapped[list["Alert"]] = relationship(back_populates="query", cascade="all, delete-orphan")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class QuerySnippet(Timestamps, Base):
    __tablename__ = "query_snippets"

    id: Mapped[int] = mapped_column(primary_key=True)
    org_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    trigger: Mapped[str] = mapped_column(String(255), unique=True)
    description: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    snippet: Mapped[str] = mapped_column(Text)

    org: Mapped["Organization"] = relationship(back_populates="query_snippets")
    user: Mapped["User"] = relationship(back_populates="query_snippets")


class Visualization(Timestamps, Base):
    __tablename__ = "visualizations"

    id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(String(100))
    query_id: Mapped[int] = mapped_column(ForeignKey("queries.id"))
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[Optional[str]] = mapped_column(String(4096))
    options: Mapped[dict[str, Any]] = mapped_column(Options, default=dict)

    query: Mapped["Query"] = relationship(back_populates="visualizations")
    widgets: Mapped[list["Widget"]] = relationship(back_populates="visualization", cascade="all, delete-orphan")


class Dashboard(Timestamps, Base):
    __tablename__ = "dashboards"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    org_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    slug: Mapped[str] = mapped_column(String(140), index=True)
    name: Mapped[str] = mapped_column(String(100))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    layout: Mapped[list[Any]] = mapped_column(MutableList.as_mutable(JSON()), default=list)
    dashboard_filters_enabled: Mapped[bool] = mapped_column(default=False)
    is_archived: Mapped[bool] = mapped_column(default=False, index=True)
    is_draft: Mapped[bool] = mapped_column(default=True, index=True)
    tags: Mapped[Optional[list[str]]] = mapped_column(Names)
    options: Mapped[dict[str, Any]] = mapped_column(Options, default=dict)

    org: Mapped["Organization"] = relationship(back_populates="dashboards")
    user: Mapped["User"] = relationship(back_populates="dashboards")
    widgets: Mapped[list["Widget"]] = relationship(back_populates="dashboard", order_by="Widget.id")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class Widget(Timestamps, Base):
    __tablename__ = "widgets"

    id: Mapped[int] = mapped_column(primary_key=True)
    visualization_id: Mapped[Optional[int]] = mapped_column(ForeignKey("visualizations.id"))
    text: Mapped[Optional[str]] = mapped_column(Text)
    width: Mapped[int]
    options: Mapped[dict[str, Any]] = mapped_column(Options, default=dict)
    dashboard_id: Mapped[int] = mapped_column(ForeignKey("dashboards.id"), index=True)

    visualization: Mapped[Optional["Visualization"]] = relationship(back_populates="widgets")
    dashboard: Mapped["Dashboard"] = relationship(back_populates="widgets")


class Alert(Timestamps, Base):
    __tablename__ = "alerts"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    query_id: Mapped[int] = mapped_column(ForeignKey("queries.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    options: Mapped[dict[str, Any]] = mapped_column(Options, default=dict)
    state: Mapped[str] = mapped_column(String(255), default="unknown")
    last_triggered_at: Mapped[Optional[datetime.datetime]]
    rearm: Mapped[Optional[int]]

    query: Mapped["Query"] = relationship(back_populates="alerts")
    user: Mapped["User"] = relationship(back_populates="alerts")
    subscriptions: Mapped[list["AlertSubscription"]] = relationship(
        back_populates="alert", cascade="all, delete-orphan"
    )


class AlertSubscription(Timestamps, Base):
    __tablename__ = "alert_subscriptions"
    __table_args__ = (UniqueConstraint("destination_id", "alert_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    destination_id: Mapped[Optional[int]] = mapped_column(ForeignKey("notification_destinations.id"))
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"))

    user: Mapped["User"] = relationship(back_populates="alert_subscriptions")
    destination: Mapped[Optional["NotificationDestination"]] = relationship(back_populates="alert_subscriptions")
    alert: Mapped["Alert"] = relationship(back_populates="subscriptions")


class NotificationDestination(Created, Base):
    __tablename__ = "notification_destinations"
    __table_args__ = (UniqueConstraint("org_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    org_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(255))
    type: Mapped[str] = mapped_column(String(255))
    options: Mapped[dict[str, Any]] = mapped_column(Options, default=dict)

    org: Mapped["Organization"] = relationship(back_populates="notification_destinations")
    user: Mapped["User"] = relationship(back_populates="notification_destinations")
    alert_subscriptions: Mapped[list["AlertSubscription"]] = relationship(back_populates="destination")


class Event(Created, Base):
    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    org_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    user_id: Mapped[Optional[int]] = mapped_column(ForeignKey("users.id"))
    action: Mapped[str] = mapped_column(String(255))
    object_type: Mapped[str] = mapped_column(String(255))
    object_id: Mapped[Optional[str]] = mapped_column(String(255))
    additional_properties: Mapped[dict[str, Any]] = mapped_column(Options, default=dict)

    org: Mapped["Organization"] = relationship()
    user: Mapped[Optional["User"]] = relationship()


class ApiKey(Timestamps, Base):
    __tablename__ = "api_keys"
    __table_args__ = (Index("api_keys_object_type_object_id", "object_type", "object_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    org_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    api_key: Mapped[str] = mapped_column(String(255), index=True, default=new_key)
    active: Mapped[bool] = mapped_column(default=True)
    object_type: Mapped[str] = mapped_column(String(255))
    object_id: Mapped[int]
    created_by_id: Mapped[Optional[int]] = mapped_column(ForeignKey("users.id"))

    org: Mapped["Organization"] = relationship()
    created_by: Mapped[Optional["User"]] = relationship()


class AccessPermission(Base):
    __tablename__ = "access_permissions"

    id: Mapped[int] = mapped_column(primary_key=True)
    object_type: Mapped[str] = mapped_column(String(255))
    object_id: Mapped[int]
    access_type: Mapped[str] = mapped_column(String(255))
    grantor_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    grantee_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    grantor: Mapped["User"] = relationship(foreign_keys=[grantor_id])
    grantee: Mapped["User"] = relationship(foreign_keys=[grantee_id])


class Change(Created, Base):
    __tablename__ = "changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    object_type: Mapped[str] = mapped_column(String(255))
    object_id: Mapped[int]
    object_version: Mapped[int] = mapped_column(default=0)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    change: Mapped[dict[str, Any]] = mapped_column(Options, default=dict)

    user: Mapped["User"] = relationship()


class Favorite(Timestamps, Base):
    __tablename__ = "favorites"
    __table_args__ = (UniqueConstraint("object_type", "object_id", "user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    org_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    object_type: Mapped[str] = mapped_column(String(255))
    object_id: Mapped[int]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))

    org: Mapped["Organization"] = relationship()
    user: Mapped["User"] = relationship()
